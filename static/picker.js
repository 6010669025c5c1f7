// A date and time picker in the viewer's zone, beside the control that holds the parameter. It is not a parameter itself.

const DAY = 86400;

// Shows the picker, which is hidden without JavaScript, and keeps it in step with the control. `read` turns the text of
// the parameter into epoch seconds, or NaN if it is not a time; `write` turns epoch seconds into text.
export function setUpPicker(input, place, read, write) {
  const picker = place.querySelector("input");
  const follow = () => {
    const seconds = read(input.value);
    const date = new Date(seconds * 1000);
    const shift = date.getTimezoneOffset() * 60000;
    picker.value = seconds >= DAY && date.getFullYear() < 9999 ? new Date(date - shift).toISOString().slice(0, 19) : "";
  };
  picker.addEventListener("change", () => {
    const seconds = Math.floor(new Date(picker.value).getTime() / 1000);
    input.value = seconds >= 0 ? write(seconds) : "";
    input.dispatchEvent(new Event("input", { bubbles: true })); // as if it had been typed
  });
  input.addEventListener("input", follow);
  document.addEventListener("controls", follow);
  follow();
  place.hidden = false;
}
