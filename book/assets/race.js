// The race of the optimizers: contour lines, paths, and a table of how far each has come.
interactive.start("race", () => {
  const { button, html, slider, status, svg, table } = interactive;
  const { axes, curve, inside, line, marker, number, picture, sample, scale } = interactive;
  const { CURVATURE, METHODS, STEPS, distance, path, verdict } = raceMath;
  const MANTISSAS = ["1", "1.2", "1.5", "2", "2.5", "3", "4", "5", "6", "8"];
  const RATES = [-3, -2, -1, 0].flatMap((k) => MANTISSAS.map((m) => Number(`${m}e${k}`)));
  const BETAS = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99, 0.995];
  BETAS.push(0.999, 0.9999, 0.99999);
  const LEVELS = [0.1, 0.5, 2, 5, 10, 20]; // as in chapter 9
  const FAR = 1000; // far outside of the figure: greater numbers may be too large for the browser

  const rate = slider("Learning rate η", RATES.map(String), RATES.indexOf(0.3), race);
  const momentum = slider("Momentum β", BETAS.map(String), BETAS.indexOf(0.9), race);
  const texts = Array.from({ length: STEPS + 1 }, (_, step) => String(step));
  const step = slider("Step", texts, 20, () => {
    pause();
    show();
  });

  const rows = METHODS.map((method, i) => {
    const box = html("input", { type: "checkbox", checked: "", autocomplete: "off" });
    box.addEventListener("input", show);
    const name = html("th", { scope: "row" }, html("label", {}, box, sample(i, 5), method));
    const [far, word] = [html("td"), html("td")];
    return { method, box, far, word, node: html("tr", {}, name, far, word) };
  });
  const facts = table(
    ["Optimizer", "Distance", "Outcome"],
    html("tbody", {}, ...rows.map((row) => row.node)),
  );

  const { node: spoken, say } = status({ class: "visually-hidden" });
  const label =
    "Paths of the optimizers from the point −5, −2 over the elliptic contour lines of a long, " +
    "narrow valley. The table below says how far each has come.";
  const { node: map, update } = picture(label, (width) => Math.max((width * 2) / 3, 260), draw);

  let timer;
  const play = button("Play", () => {
    if (timer) return pause();
    if (step.position === STEPS) step.position = 0;
    play.textContent = "Pause";
    timer = setInterval(() => {
      step.position += 1;
      if (step.position === STEPS) pause();
      show();
    }, 80);
  });
  play.className = "play";

  function pause() {
    clearInterval(timer);
    timer = undefined;
    play.textContent = "Play";
  }

  let paths;
  function race() {
    const [lr, beta] = [RATES[rate.position], BETAS[momentum.position]];
    paths = METHODS.map((method) => path(method, lr, beta));
    show();
  }

  function show() {
    const now = step.position;
    const sentences = rows.map(({ method, box, far, word, node }, i) => {
      far.textContent = number(distance(paths[i][now]));
      word.textContent = verdict(paths[i], now);
      node.className = box.checked ? "" : "off";
      return box.checked ? ` ${method}: ${far.textContent}, ${word.textContent}.` : "";
    });
    say(`Distance to the minimum at step ${now}.${sentences.join("")}`);
    update();
  }

  function draw(width, height) {
    const frame = { left: 30, right: width - 8, top: 30, bottom: height - 44 };
    const x = scale([-6, 6], [frame.left, frame.right]);
    const y = scale([-4, 4], [frame.bottom, frame.top]);
    const within = (low, value, high) => Math.max(low, Math.min(value, high));
    const pixels = (position) => {
      const [x1, x2] = position.map((value) => within(-FAR, value, FAR));
      return [x(x1), y(x2)];
    };
    const ticks = (values) => values.map((value) => [value, String(value).replace("-", "−")]);
    const lines = axes(x, y, frame, {
      xTicks: ticks([-6, -4, -2, 0, 2, 4, 6]),
      yTicks: ticks([-4, -2, 0, 2, 4]),
      xLabel: "x₁ (along)",
      yLabel: "x₂ (across)",
    });
    const contours = LEVELS.map((level) => {
      const [a, b] = CURVATURE.map((curvature) => Math.sqrt((2 * level) / curvature));
      const radii = { rx: x(a) - x(0), ry: y(0) - y(b) };
      return svg("ellipse", { class: "contour", cx: x(0), cy: y(0), ...radii });
    });
    const origin = svg("text", { x: x(-5), y: y(-2) + 18, "text-anchor": "middle" }, "start");
    const shown = METHODS.flatMap((_, i) => (rows[i].box.checked ? [i] : []));
    const trails = shown.map((i) => {
      const points = paths[i].slice(0, step.position + 1).map(pixels);
      const dots = points.map((point) => `M${curve([point])}h0`).join("");
      return svg(
        "g",
        { class: `series-${i + 1}` },
        line(points, `line series-${i + 1}`),
        svg("path", { d: dots, class: "dots" }),
      );
    });
    const ends = shown.map((i) => {
      const [px, py] = pixels(paths[i][step.position]);
      const edge = [within(frame.left, px, frame.right), within(frame.top, py, frame.bottom)];
      const outside = edge[0] !== px || edge[1] !== py ? " outside" : "";
      return marker(i, edge, 6, `marker series-${i + 1}${outside}`);
    });
    return [lines, inside(frame, [...contours, origin, ...trails]), ...ends];
  }

  race();
  const settings = html("div", { class: "controls" }, rate.node, momentum.node);
  const time = html("div", { class: "controls time" }, play, step.node);
  return [settings, map, time, facts, spoken];
});
