// Date and time pickers in the chosen zone, each beside the control that holds a parameter. They are no parameters.
import { offsetAt, onClock, secondsOf } from "./time.js";

const DAY = 86400;

// Shows the pickers of a form, which are hidden without JavaScript, and keeps them in step with the controls. `read` turns
// the text of a parameter into epoch seconds, or NaN if it is not a time; `write` turns epoch seconds into text.
export function setUpPickers(form, read, write) {
  for (const place of form.querySelectorAll("[data-picker]")) setUpPicker(form.elements[place.dataset.picker], place, read, write);
}

function setUpPicker(input, place, read, write) {
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
