// The race of the optimizers without its drawing: the steps of deeplearn.optim, in float64.
// A plain script with a global name, since browsers load no modules from file://.
globalThis.raceMath = (() => {
  const CURVATURE = [0.2, 4]; // the second derivatives of f(x) = 0.1 x1² + 2 x2²
  const START = [-5, -2];
  const STEPS = 100;
  const NEAR = 0.05;

  // Each takes the gradient g of one coordinate, keeps what it remembers in s, and returns what is
  // multiplied by the learning rate. t counts steps from 1. Numbers are deeplearn's defaults.
  const METHODS = {
    "Gradient descent": (g) => g,
    Momentum: (g, s, t, beta) => (s.m = beta * s.m + g),
    Nesterov: (g, s, t, beta) => {
      s.m = beta * s.m + g;
      return g + beta * s.m;
    },
    AdaGrad: (g, s) => {
      s.v += g * g;
      return g / (Math.sqrt(s.v) + 1e-10);
    },
    RMSProp: (g, s) => {
      s.v = 0.99 * s.v + 0.01 * g * g;
      return g / (Math.sqrt(s.v) + 1e-8);
    },
    Adam: (g, s, t) => {
      s.m = 0.9 * s.m + 0.1 * g;
      s.v = 0.999 * s.v + 0.001 * g * g;
      return s.m / (1 - 0.9 ** t) / (Math.sqrt(s.v / (1 - 0.999 ** t)) + 1e-8);
    },
  };

  // Return all positions [x1, x2] of a method, the start first.
  function path(method, lr, beta) {
    const states = START.map(() => ({ m: 0, v: 0 }));
    const positions = [START];
    for (let t = 1; t <= STEPS; t++) {
      const before = positions.at(-1);
      positions.push(
        before.map((x, i) => x - lr * METHODS[method](CURVATURE[i] * x, states[i], t, beta)),
      );
    }
    return positions;
  }

  const distance = (position) => Math.hypot(...position);
  const farthest = (positions) => Math.max(...positions.map(distance));

  // Say in a word what a path does around one of its steps.
  function verdict(positions, step) {
    if (step === 0) return "at the start";
    const size = Math.min(10, Math.ceil(step / 2));
    const recent = positions.slice(step - size + 1, step + 1);
    const earlier = positions.slice(step - 2 * size + 1, step - size + 1);
    if (step >= 10 && farthest(recent) <= NEAR) return "converged";
    // Swings that are kept may exceed the start; at the limit of stability rounding would decide.
    const grows = farthest(recent) > 1.01 * farthest(earlier);
    if (grows && farthest(recent) > 2 * distance(START)) return "diverges";
    const swings = (i) =>
      recent.some((x, k) => x[i] * (recent[k - 1] ?? earlier.at(-1))[i] < 0) &&
      recent.some((x) => Math.abs(x[i]) > NEAR);
    return swings(0) || swings(1) ? "oscillates" : "on its way";
  }

  return { CURVATURE, METHODS: Object.keys(METHODS), STEPS, distance, path, verdict };
})();
