
"use strict";
// Moves through the images on the way. Without it the page shows the last ones.
document.querySelectorAll(".slider").forEach(function (slider) {
  var figure = slider.closest("figure");
  var labels = slider.dataset.labels.split("\n");
  var range = slider.querySelector("input");
  var output = slider.querySelector("output");
  var button = slider.querySelector("button");
  var strips = Array.from(figure.querySelectorAll(".strip"));
  var timer = null;

  function show() {
    var at = Number(range.value);
    strips.forEach(function (strip) {
      Array.from(strip.children).forEach(function (image, number) {
        image.className = number === at ? "on" : "off";
      });
    });
    output.textContent = labels[at];
    range.setAttribute("aria-valuetext", labels[at]);
  }

  function stop() {
    clearTimeout(timer);
    timer = null;
    button.className = "";
    button.setAttribute("aria-label", "Play");
  }

  function next() {
    var last = Number(range.max);
    range.value = Number(range.value) + 1;
    show();
    if (Number(range.value) === last) {
      stop();
    } else {
      timer = setTimeout(next, 450);
    }
  }

  button.addEventListener("click", function () {
    if (timer !== null) {
      stop();
      return;
    }
    if (range.value === range.max) {
      range.value = 0;
      show();
    }
    button.className = "playing";
    button.setAttribute("aria-label", "Stop");
    timer = setTimeout(next, 450);
  });
  range.addEventListener("input", function () {
    stop();
    show();
  });
  slider.hidden = false;
  // A reloaded page may remember where the slider was.
  show();
});
