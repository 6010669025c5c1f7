"""InfluxDB's line protocol in, for Telegraf and other clients of InfluxDB (docs/influx.md)."""
