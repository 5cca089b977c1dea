// What the explorer of a table knows: the space and the scores. Classes are numbered as in the table; architectures are
// rows of the space's enumeration, so that every step to a neighbor changes what it says it changes.
"use strict";

const facts = JSON.parse(document.getElementById("facts").textContent);
const { units } = facts;
const KINDS = { uint8: Uint8Array, uint16: Uint16Array, uint32: Uint32Array, float32: Float32Array, float64: Float64Array };
const MISSING = { uint16: 0xffff, uint32: 0xffffffff };

// Returns the arrays of the page by name.
async function unpackedArrays() {
  const text = document.getElementById("data").textContent.trim();
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const buffer = await new Response(stream).arrayBuffer();
  return Object.fromEntries(
    facts.arrays.map(({ name, type, offset, length }) => [name, new KINDS[type](buffer, offset, length)]));
}

// The space: what a row is made of, how it is written, its class and its neighbors (rows).
function makeSpace(arrays) {
  const { decisions } = facts;
  const lines = (name) => arrays[name] && new TextDecoder().decode(arrays[name]).split("\n");
  const texts = lines("texts"), decodedLines = lines("decoded"), weights = weightsOf(decisions);
  const rows = Uint32Array.from({ length: facts.num_architectures }, (_, row) => row);
  const classOf = arrays.class_of ?? rows;
  const members = new Uint32Array(facts.num_classes);
  for (const number of classOf) members[number]++;

  const choice = (row, number) => arrays.choices[row * decisions.length + number];
  const text = (row) => texts[row];

  function decoded(row) {
    if (!decodedLines) return new Map(decisions.map(({ name, values }, number) => [name, values[choice(row, number)]]));
    return new Map(Object.entries(JSON.parse(decodedLines[row])));
  }

  function neighbors(row) {
    if (arrays.neighbors) {
      const width = arrays.neighbors.length / facts.num_architectures;
      return [...new Set(arrays.neighbors.subarray(row * width, row * width + arrays.degrees[row]))];
    }
    const withValue = (number, value) => row + (value - choice(row, number)) * weights[number];
    return decisions
      .flatMap(({ values }, number) => values.map((_, value) => withValue(number, value)))
      .filter((other) => other !== row);
  }

  // The labels of the vertices of the graph that is drawn, and whether there is an edge between two.
  function graph(row) {
    const size = facts.graph.num_vertices, numBytes = arrays.edges.length / facts.num_architectures;
    const labels = Array.from(arrays.labels.subarray(row * size, (row + 1) * size), (label) => label - 1);
    const edge = (source, target) => {
      if (source >= target) return false;
      const place = source * size - source * (source + 1) / 2 + target - source - 1;
      return (arrays.edges[row * numBytes + (place >> 3)] >> (7 - (place & 7))) % 2 === 1;
    };
    return [labels, edge];
  }

  return { choice, text, decoded, neighbors, graph, classOf, members, representatives: arrays.representatives ?? rows };
}

// How far apart the rows are of architectures that differ by one in a decision: rows count all combinations in order.
function weightsOf(decisions) {
  let weight = 1;
  return decisions.map(({ values }) => values.length).reverse().map((size) => (weight *= size) / size).reverse();
}

// The scores of classes: of each seed and epoch, their means, the classes in the
// order of these, best first, and their ranks (equal means share the best).
function makeScores(arrays) {
  const kinds = Object.fromEntries(facts.arrays.map(({ name, type }) => [name, type]));
  const numEpochs = { validation: facts.fidelities.length, test: 1 };
  const numRuns = facts.num_runs;

  const isCount = (split) => kinds[split] in MISSING;
  // What stored values are divided by, so that a larger score is better.
  const scale = { validation: units.better, test: units.better };
  for (const split of Object.keys(scale)) scale[split] *= facts.denominators[split] ?? 1;

  function stored(split, number, seed, epoch) {
    const found = arrays[split][(number * numRuns[split] + seed) * numEpochs[split] + epoch];
    return isCount(split) && found === MISSING[kinds[split]] ? NaN : found;
  }

  const value = (split, number, seed, epoch) => stored(split, number, seed, epoch) / scale[split];

  function ofSeeds(split, number, epoch = numEpochs[split] - 1) {
    return Array.from({ length: numRuns[split] }, (_, seed) => value(split, number, seed, epoch)).filter(Number.isFinite);
  }

  // Counts are summed before they are divided, so that equal sums are equal means.
  function means(split, epoch = numEpochs[split] - 1) {
    const found = new Float64Array(facts.num_classes);
    for (let number = 0; number < found.length; number++) {
      let sum = 0, count = 0;
      for (let seed = 0; seed < numRuns[split]; seed++) {
        const each = stored(split, number, seed, epoch);
        if (Number.isFinite(each)) [sum, count] = [sum + each, count + 1];
      }
      found[number] = count ? sum / count / scale[split] : NaN;
    }
    return found;
  }

  const mean = { validation: means("validation"), test: means("test"), first: means("validation", 0) };
  const order = { validation: bestFirst(mean.validation), test: bestFirst(mean.test) };
  const rank = { validation: ranks(mean.validation, order.validation), test: ranks(mean.test, order.test) };
  return { value, ofSeeds, mean, order, rank };
}

function average(values) {
  return values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : NaN;
}

// The standard deviation over a sample, NaN of fewer than two.
function deviation(values) {
  if (values.length < 2) return NaN;
  const middle = average(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (values.length - 1));
}

// The classes with a score, best first, ties by number.
function bestFirst(values) {
  const numbers = Array.from(values.keys()).filter((number) => Number.isFinite(values[number]));
  return numbers.sort((a, b) => values[b] - values[a] || a - b);
}

function ranks(values, order) {
  const found = new Float64Array(values.length).fill(NaN);
  let previous = -1;
  order.forEach((number, position) => {
    found[number] = values[previous] === values[number] ? found[previous] : position + 1;
    previous = number;
  });
  return found;
}
