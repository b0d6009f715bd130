// What the figures that readers can move have in common: elements, controls, axes and status.
// A plain script with a global name, since browsers load no modules from file://.
globalThis.interactive = (() => {
  // The markers of deeplearn.plots, of radius 1, in the order of its palette.
  const MARKERS = [
    "M-1 0a1 1 0 1 0 2 0a1 1 0 1 0-2 0z",
    "M-.9-.9h1.8v1.8h-1.8z",
    "M0-1.2L1.1.8h-2.2z",
    "M0-1.3L1.3 0L0 1.3L-1.3 0z",
    "M0 1.2L1.1-.8h-2.2z",
    "M-.45-1.2h.9v.75h.75v.9h-.75v.75h-.9v-.75h-.75v-.9h.75z",
  ];

  function fill(node, attributes, children) {
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
  }

  const html = (name, attributes = {}, ...children) =>
    fill(document.createElement(name), attributes, children);

  const svg = (name, attributes = {}, ...children) =>
    fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);

  // Controls

  // A slider over texts. It shows and says the text, where the browser knows only a position.
  function slider(name, texts, start, onInput) {
    const range = { min: 0, max: texts.length - 1, value: start };
    // Without autocomplete="off" Firefox restores an old position.
    const input = html("input", { type: "range", ...range, autocomplete: "off" });
    const shown = html("span", { class: "value", "aria-hidden": "true" });
    const show = () => {
      shown.textContent = texts[input.value];
      input.setAttribute("aria-valuetext", texts[input.value]);
    };
    input.addEventListener("input", () => {
      show();
      onInput();
    });
    show();
    return {
      node: html("label", { class: "control" }, html("span", {}, name), shown, input),
      get position() {
        return Number(input.value);
      },
      set position(value) {
        input.value = value;
        show();
      },
    };
  }

  function choice(name, options, start, onInput) {
    const items = options.map((option) => html("option", {}, option));
    const select = html("select", { autocomplete: "off" }, ...items);
    select.value = start;
    select.addEventListener("input", onInput);
    return {
      node: html("label", { class: "control" }, html("span", {}, name), select),
      get value() {
        return select.value;
      },
    };
  }

  function button(name, onClick) {
    const node = html("button", { type: "button" }, name);
    node.addEventListener("click", onClick);
    return node;
  }

  function table(heads, body) {
    const cells = heads.map((head) => html("th", { scope: "col" }, head));
    return html("table", {}, html("thead", {}, html("tr", {}, ...cells)), body);
  }

  // How a series looks: its line, and a marker of some radius on it.
  const sample = (i, radius) =>
    svg(
      "svg",
      { class: "sample", viewBox: "0 0 40 16", "aria-hidden": "true" },
      svg("path", { d: "M0 8H40", class: `line series-${i + 1}` }),
      marker(i, [20, 8], radius, `marker series-${i + 1}`),
    );

  // A sentence for the ear. It waits for a pause, or a moving slider would cut its own words off.
  function status(attributes = {}) {
    const node = html("p", { role: "status", ...attributes });
    let timer;
    const say = (text) => {
      clearTimeout(timer);
      timer = setTimeout(() => (node.textContent = text), node.textContent ? 500 : 0);
    };
    return { node, say };
  }

  // Drawing

  const scale = (from, to) => (value) =>
    to[0] + ((value - from[0]) / (from[1] - from[0])) * (to[1] - to[0]);

  const number = (value) => {
    const size = Math.abs(value);
    const plain = size === 0 || (size >= 0.001 && size < 10000);
    const minus = (text) => text.replaceAll("-", "−");
    if (!plain) return minus(value.toExponential(1).replace("e+", "e"));
    const rounded = size >= 100 ? Math.round(value) : Number(value.toPrecision(2));
    return minus(String(rounded));
  };

  const round = (value) => Math.round(value * 100) / 100;

  const curve = (points) => points.map((point) => point.map(round).join(" ")).join("L");

  const line = (points, className) => svg("path", { d: `M${curve(points)}`, class: className });

  const marker = (i, [x, y], radius, className) =>
    svg("path", {
      d: MARKERS[i],
      class: className,
      transform: `translate(${round(x)} ${round(y)}) scale(${radius})`,
    });

  // An inner picture, which clips what leaves the frame.
  function inside({ left, right, top, bottom }, children) {
    const size = { width: right - left, height: bottom - top };
    const box = `${left} ${top} ${size.width} ${size.height}`;
    return svg("svg", { x: left, y: top, ...size, viewBox: box }, ...children);
  }

  // Axes with a grid: x and y map values to pixels, ticks are [value, text].
  function axes(x, y, { left, right, top, bottom }, { xTicks, yTicks, xLabel, yLabel }) {
    const vertical = xTicks.map(([value]) => `M${round(x(value))} ${top}V${bottom}`);
    const horizontal = yTicks.map(([value]) => `M${left} ${round(y(value))}H${right}`);
    return svg(
      "g",
      { class: "axes" },
      svg("path", { class: "grid", d: [...vertical, ...horizontal].join("") }),
      svg("path", { class: "edge", d: `M${left} ${top}V${bottom}H${right}` }),
      ...xTicks.map(([value, text]) =>
        svg("text", { x: x(value), y: bottom + 18, "text-anchor": "middle" }, text),
      ),
      ...yTicks.map(([value, text]) =>
        svg("text", { x: left - 8, y: y(value) + 4, "text-anchor": "end" }, text),
      ),
      svg("text", { x: (left + right) / 2, y: bottom + 38, "text-anchor": "middle" }, xLabel),
      svg("text", { x: left - 8, y: top - 12 }, yLabel),
    );
  }

  // A picture that is drawn anew for each width, so that its text keeps the size of the page's.
  function picture(label, height, draw) {
    const node = svg("svg", { role: "img", "aria-label": label });
    const update = () => {
      const width = node.clientWidth;
      if (width === 0) return; // not shown
      node.setAttribute("viewBox", `0 0 ${width} ${height(width)}`);
      node.replaceChildren(...draw(width, height(width)));
    };
    new ResizeObserver(update).observe(node);
    return { node, update };
  }

  // Put a figure in the place of the sentence that stands for it.
  function start(name, build) {
    for (const figure of document.querySelectorAll(`.interactive[data-figure="${name}"]`)) {
      figure.querySelector("p").replaceWith(...build());
    }
  }

  return {
    ...{ button, choice, html, slider, start, status, svg, table },
    ...{ axes, curve, inside, line, marker, number, picture, sample, scale },
  };
})();
