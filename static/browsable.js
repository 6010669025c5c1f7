// Additions to the page of the framework.
"use strict";

// For screen readers.
document.documentElement.lang = "en";
$(".format-selection .dropdown-toggle").attr("aria-label", "Format");
$(".response-info pre").attr("tabindex", "0"); // on a phone it scrolls, by keyboard too

// The framework's form script treats an answer without content as a failure, and stops. It is shown here instead.

$.ajaxPrefilter((options, _, answer) => {
  const always = answer.always;
  answer.always = (callback) =>
    always((...results) => {
      if (answer.status === 204) showNoContent(options.type);
      else callback?.(...results); // jQuery itself registers undefined too
    });
});

function showNoContent(method) {
  $(".modal").modal("hide");
  $(".request-info pre").text(`${method} ${location.pathname}${location.search}`);
  $(".response-info pre").text("HTTP 204 No Content");
  scroll(0, 0);
}
