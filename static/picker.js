// A date and time picker in the chosen zone, beside the control that holds the parameter. It is not a parameter itself.
import { offsetAt, onClock, secondsOf } from "./time.js";

const DAY = 86400;

// Shows the picker, which is hidden without JavaScript, and keeps it in step with the control. `read` turns the text of
// the parameter into epoch seconds, or NaN if it is not a time; `write` turns epoch seconds into text.
export function setUpPicker(input, place, read, write) {
  const picker = place.querySelector("input");
  const follow = () => {
    const seconds = read(input.value);
    const clock = new Date((seconds + offsetAt(seconds)) * 1000);
    picker.value = seconds >= DAY && clock.getUTCFullYear() < 9999 ? clock.toISOString().slice(0, 19) : "";
  };
  picker.addEventListener("change", () => {
    const seconds = Math.floor(secondsOf(picker.value));
    input.value = seconds >= 0 ? write(seconds) : "";
    input.dispatchEvent(new Event("input", { bubbles: true })); // as if it had been typed
  });
  input.addEventListener("input", follow);
  document.addEventListener("controls", follow);
  onClock(follow);
  follow();
  place.hidden = false;
}
