// What every page does. Nothing here is needed to read a page; each part improves what the server has rendered.
//
//   data-key="x"        the key x clicks it
//   data-since="ISO"    a duration that ticks while something runs
//   data-copy="text"    a click copies the text
//   form[data-post]     is sent with the header that a change needs, then the page goes where the answer says;
//                       with data-stay it presses the button that sent it, and brings itself up to date
//   #main               is brought up to date when the server says that what it shows has changed: see live.js
import "./clock.js";
import "./controls.js";
import "./keys.js";
import "./list.js";
import "./live.js";
