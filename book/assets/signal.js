// A signal through ten layers: statistics of each layer, a histogram of one, and all numbers.
interactive.start("signal", () => {
  const { button, choice, html, slider, status, svg, table } = interactive;
  const { axes, inside, line, marker, number, picture, sample, scale } = interactive;
  const { ACTIVATIONS, DEPTH, STARTS } = signalMath;
  const WIDTHS = Array.from({ length: 16 }, (_, i) => 50 + 10 * i);
  const BINS = 40;
  // The first two are often equal: a smaller marker leaves the one below it in sight.
  const SERIES = [
    { key: "std", text: "standard deviation of all values", radius: 6 },
    { key: "overInputs", text: "standard deviation over the inputs", radius: 3.5 },
    { key: "mean", text: "mean, in absolute value", radius: 4 },
  ];

  const activation = choice("Activation", ACTIVATIONS, "tanh", compute);
  const start = choice("Initialization", Object.keys(STARTS), "N(0, 0.01²)", compute);
  const width = slider("Layer width", WIDTHS.map(String), WIDTHS.indexOf(100), compute);
  const names = Array.from({ length: DEPTH + 1 }, (_, i) => (i ? `layer ${i}` : "input"));
  const layer = slider("Histogram of", names.slice(1), DEPTH - 1, show);
  let seed = 1;
  const again = button("Draw again", () => {
    seed += 1;
    compute();
  });

  const samples = SERIES.map(({ text, radius }, i) => html("li", {}, sample(i, radius), text));
  const { node: summary, say } = status();
  const curves = picture(
    "Standard deviation and mean of each layer, on a logarithmic axis. " +
      "The table below has the numbers.",
    () => 300,
    drawCurves,
  );
  const bars = picture("Histogram of the values of the chosen layer.", () => 300, drawBars);
  const body = html("tbody");
  const heads = ["Layer", "Mean", "Std of all values", "Std over the inputs"];
  const all = html("details", {}, html("summary", {}, "All numbers"), table(heads, body));

  let layers, numbers, low, high;
  function compute() {
    const units = WIDTHS[width.position];
    layers = signalMath.forward(signalMath.draw(start.value, units, seed), activation.value, units);
    numbers = layers.map((H) => signalMath.statistics(H, units));
    // One range for the histograms of all layers, as in deeplearn.plots.
    [low, high] = [Infinity, -Infinity];
    for (const H of layers.slice(1)) {
      for (const h of H) {
        low = Math.min(low, h);
        high = Math.max(high, h);
      }
    }
    body.replaceChildren(
      ...numbers.map(({ mean, std, overInputs }, i) => {
        const cells = [mean, std, overInputs].map((value) => html("td", {}, number(value)));
        return html("tr", {}, html("th", { scope: "row" }, i ? String(i) : "input"), ...cells);
      }),
    );
    show();
  }

  function show() {
    const units = WIDTHS[width.position];
    const sigma = number(STARTS[start.value](units, units));
    const outcome = signalMath.verdict(numbers.slice(1), layers, activation.value);
    const i = layer.position + 1;
    const [std, overInputs, mean] = SERIES.map(({ key }) => number(numbers[i][key]));
    say(
      `${activation.value}, ${start.value} (weights of standard deviation ${sigma}): the signal ` +
        `${outcome}. In ${names[i]} the mean is ${mean}, the standard deviation ${std}, over the ` +
        `inputs ${overInputs}.`,
    );
    curves.update();
    bars.update();
  }

  function drawCurves(size, height) {
    const frame = { left: 48, right: size - 10, top: 30, bottom: height - 44 };
    const stds = numbers.flatMap(({ std, overInputs }) => [std, overInputs]);
    const bottom = Math.floor(Math.log10(Math.min(0.01, ...stds)));
    const top = Math.ceil(Math.log10(Math.max(10, ...stds)));
    const every = Math.ceil((top - bottom) / 6);
    const powers = [];
    for (let power = top; power >= bottom; power -= every) powers.push(power);
    const x = scale([0, DEPTH], [frame.left + 10, frame.right - 6]);
    const y = scale([bottom, top], [frame.bottom, frame.top]);
    const lines = axes(x, y, frame, {
      xTicks: names.map((_, i) => [i, i ? String(i) : "in"]),
      yTicks: powers.map((power) => [power, Math.abs(power) < 3 ? 10 ** power : `1e${power}`]),
      xLabel: "layer",
      yLabel: "standard deviation, mean",
    });
    const chosen = { x: x(layer.position + 1) - 9, y: frame.top, width: 18 };
    const band = svg("rect", { class: "band", ...chosen, height: frame.bottom - frame.top });
    const series = SERIES.map(({ key, radius }, i) => {
      const level = (value) => Math.log10(Math.max(Math.abs(value), 1e-99));
      const points = numbers.map((values, k) => [x(k), y(level(values[key]))]);
      const marks = points.map((point) => marker(i, point, radius, `marker series-${i + 1}`));
      return svg("g", {}, line(points, `line series-${i + 1}`), ...marks);
    });
    return [lines, band, inside(frame, series)]; // a mean near 0 lies below the axis
  }

  function drawBars(size, height) {
    const frame = { left: 28, right: size - 28, top: 30, bottom: height - 44 };
    const shares = signalMath.histogram(layers[layer.position + 1], low, high, BINS);
    const x = scale([low, high], [frame.left, frame.right]);
    const y = scale([0, Math.max(...shares)], [frame.bottom, frame.top]);
    const zero = -low / (high - low);
    const ticks = zero > 0.2 && zero < 0.8 ? [low, 0, high] : [low, high]; // else they overlap
    const step = (frame.right - frame.left) / BINS;
    const lines = axes(x, y, frame, {
      xTicks: ticks.map((value) => [value, number(value)]),
      yTicks: [],
      xLabel: "value",
      yLabel: `share of the values of ${names[layer.position + 1]}`,
    });
    const boxes = shares.map((share, i) => {
      const corner = { x: frame.left + i * step, y: y(share) };
      return svg("rect", { class: "bar", ...corner, width: step, height: frame.bottom - corner.y });
    });
    return [lines, ...boxes];
  }

  compute();
  const choices = [activation.node, start.node, width.node, again];
  const left = html("div", {}, html("ul", { class: "samples" }, ...samples), curves.node);
  const right = html("div", {}, layer.node, bars.node);
  return [
    html("div", { class: "controls" }, ...choices),
    html("div", { class: "panels" }, left, right),
    summary,
    all,
  ];
});
