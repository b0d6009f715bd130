// A signal through ten layers without its drawing: weights, layers and their statistics.
// A plain script with a global name, since browsers load no modules from file://.
globalThis.signalMath = (() => {
  const DEPTH = 10;
  const INPUTS = 100;
  const SELU = { alpha: 1.6732632423543773, scale: 1.0507009873554805 };

  // As in deeplearn.activations, with its defaults.
  const ACTIVATIONS = {
    logistic: (z) => 1 / (1 + Math.exp(-z)),
    tanh: Math.tanh,
    ReLU: (z) => (z > 0 ? z : 0),
    "leaky ReLU": (z) => (z > 0 ? z : 0.01 * z),
    ELU: (z) => (z > 0 ? z : Math.expm1(z)),
    SELU: (z) => SELU.scale * (z > 0 ? z : SELU.alpha * Math.expm1(z)),
  };
  const LIMITS = { logistic: [0, 1], tanh: [-1, 1] };

  // The standard deviation of the weights, as in deeplearn.init.
  const STARTS = {
    "N(0, 0.01²)": () => 0.01,
    "N(0, 1)": () => 1,
    Xavier: (fanIn, fanOut) => Math.sqrt(2 / (fanIn + fanOut)),
    LeCun: (fanIn) => 1 / Math.sqrt(fanIn),
    He: (fanIn) => Math.sqrt(2 / fanIn),
    orthogonal: (fanIn) => 1 / Math.sqrt(fanIn),
  };

  // Return a function that draws from N(0, 1): mulberry32, then Box and Muller's transform.
  function normal(seed) {
    let state = seed | 0;
    const uniform = () => {
      state = (state + 0x6d2b79f5) | 0;
      let bits = Math.imul(state ^ (state >>> 15), state | 1);
      bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
      return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
    };
    return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  }

  // Make the rows of a square matrix orthonormal, in place, by Gram and Schmidt's method.
  function orthonormalize(W, n) {
    for (let i = 0; i < n; i++) {
      const row = W.subarray(i * n, (i + 1) * n);
      for (let j = 0; j < i; j++) {
        const other = W.subarray(j * n, (j + 1) * n);
        const overlap = dot(row, other);
        for (let k = 0; k < n; k++) row[k] -= overlap * other[k];
      }
      const length = Math.sqrt(dot(row, row));
      for (let k = 0; k < n; k++) row[k] /= length;
    }
  }

  function dot(a, b) {
    let sum = 0;
    for (let k = 0; k < a.length; k++) sum += a[k] * b[k];
    return sum;
  }

  // Draw inputs (INPUTS, width), and for each layer a weight (width, width), row by row.
  function draw(start, width, seed) {
    const next = normal(seed);
    const X = Float64Array.from({ length: INPUTS * width }, next);
    const std = start === "orthogonal" ? 1 : STARTS[start](width, width);
    const weights = Array.from({ length: DEPTH }, () => {
      const W = Float64Array.from({ length: width * width }, () => std * next());
      if (start === "orthogonal") orthonormalize(W, width);
      return W;
    });
    return { X, weights };
  }

  // Return the inputs and the outputs of all layers.
  function forward({ X, weights }, activation, width) {
    const f = ACTIVATIONS[activation];
    const layers = [X];
    for (const W of weights) {
      const below = layers.at(-1);
      const rows = Array.from({ length: width }, (_, i) => W.subarray(i * width, (i + 1) * width));
      const H = new Float64Array(below.length);
      for (let start = 0; start < H.length; start += width) {
        const x = below.subarray(start, start + width);
        for (let i = 0; i < width; i++) H[start + i] = f(dot(rows[i], x));
      }
      layers.push(H);
    }
    return layers;
  }

  // Return the mean and the standard deviation of all values of a layer, and the standard deviation
  // over the inputs: that of one unit, in the quadratic mean of all units. It alone tells whether
  // different inputs still make a difference.
  function statistics(H, width) {
    const count = H.length / width;
    const mean = H.reduce((sum, h) => sum + h, 0) / H.length;
    const square = H.reduce((sum, h) => sum + (h - mean) ** 2, 0);
    let within = 0;
    for (let i = 0; i < width; i++) {
      let center = 0;
      for (let row = i; row < H.length; row += width) center += H[row] / count;
      for (let row = i; row < H.length; row += width) within += (H[row] - center) ** 2;
    }
    return {
      mean,
      std: Math.sqrt(square / (H.length - 1)),
      overInputs: Math.sqrt(within / (count - 1) / width),
    };
  }

  // Say in a word what became of the signal; the numbers and values are those of all layers.
  function verdict(numbers, layers, activation) {
    const top = layers.at(-1);
    const atLimit = (h) => LIMITS[activation]?.some((limit) => Math.abs(h - limit) < 0.01);
    if (top.filter(atLimit).length > top.length / 4) return "saturates";
    const ratio = numbers.at(-1).overInputs / numbers[0].overInputs;
    return ratio > 100 ? "explodes" : ratio < 0.001 ? "vanishes" : ratio < 0.1 ? "fades" : "lasts";
  }

  // Return the share of the values in each of several intervals between low and high.
  function histogram(H, low, high, bins) {
    const shares = new Array(bins).fill(0);
    for (const h of H) {
      const bin = Math.floor(((h - low) / (high - low)) * bins);
      shares[Math.min(bin, bins - 1)] += 1 / H.length;
    }
    return shares;
  }

  const names = { ACTIVATIONS: Object.keys(ACTIVATIONS), DEPTH, STARTS };
  return { ...names, draw, forward, histogram, statistics, verdict };
})();
