const SIZE = { width: 640, height: 300, left: 48, right: 130, top: 16, bottom: 44 };
const SHAPES = ["circle", "square", "diamond", "triangle"];

// About five round steps, from 0 to above the largest value.
function ticks(most) {
  const power = 10 ** Math.floor(Math.log10(most / 5));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((s) => most / s <= 5);
  return Array.from({ length: Math.ceil(most / step) + 1 }, (_, index) => index * step);
}

function mark(shape, x, y, title) {
  const paths = {
    circle: `M${x - 4} ${y}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0`,
    square: `M${x - 4} ${y - 4}h8v8h-8z`,
    diamond: `M${x - 5} ${y}l5 -5l5 5l-5 5z`,
    triangle: `M${x - 5} ${y + 4}h10l-5 -9z`,
  };
  return draw("path", { class: "mark", d: paths[shape] }, draw("title", {}, title));
}

function figure(curve) {
  const { width, height, left, right, top, bottom } = SIZE;
  const columns = DATA.averages.map((name) => [name, mode().columns.indexOf(name)]);
  const points = curve.points.filter(([system]) => rates()[system]);
  const values = [...points.map(([system]) => system), DATA.base]
    .flatMap((system) => columns.map(([, index]) => rates()[system][index]))
    .filter((value) => value !== null);
  const numbers = points.map(([, number]) => number);
  const steps = ticks(Math.max(...values, 1));
  const [low, high, most] = [Math.min(...numbers), Math.max(...numbers), steps.at(-1)];
  const x = (number) => left + ((number - low) / (high - low)) * (width - left - right);
  const y = (value) => height - bottom - (value / most) * (height - top - bottom);
  const axes = [
    ...steps.flatMap((step) => [
      draw("line", { class: "axis", x1: left, x2: width - right, y1: y(step), y2: y(step) }),
      draw("text", { class: "tick", x: left - 8, y: y(step) + 4, "text-anchor": "end" }, String(+step.toPrecision(3))),
    ]),
    ...numbers.map((number) =>
      draw("text", { class: "tick", x: x(number), y: height - bottom + 20, "text-anchor": "middle" }, String(number))),
    draw("text", { x: (left + width - right) / 2, y: height - 6, "text-anchor": "middle" }, curve.parameter),
  ];
  const lines = columns.map(([column, index], order) => {
    const known = points
      .map(([system, number]) => [system, number, rates()[system][index]])
      .filter(([, , value]) => value !== null);
    const base = rates()[DATA.base][index];
    const path = known.map(([, number, value]) => `${x(number)},${y(value)}`).join(" ");
    const last = known.at(-1);
    return draw(
      "g",
      { style: `--colour: var(--line-${order})` },
      base === null ? null : draw(
        "line",
        { class: "base", x1: left, x2: width - right, y1: y(base), y2: y(base) },
        draw("title", {}, `${DATA.base}, ${column}: ${base.toFixed(1)}`),
      ),
      draw("polyline", { class: "line", points: path }),
      ...known.map(([system, number, value]) =>
        mark(SHAPES[order], x(number), y(value), `${system}, ${column}: ${value.toFixed(1)}`)),
      last ? draw("text", { class: "name", x: x(last[1]) + 12, y: y(last[2]) + 4 }, `${column} ${last[2].toFixed(1)}`) : null,
    );
  });
  const title = `${curve.method}: ${state.metric} against ${curve.parameter}`;
  const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title }, ...axes, ...lines);
  return make("figure", {}, make("figcaption", {}, title), svg);
}

function showCurves() {
  find("#curves").hidden = DATA.curves.length === 0;
  if (DATA.curves.length === 0) return;
  find("#curves .caption").textContent =
    `Mean ${state.metric} (%) of merges that differ in one number. Dashed: ${DATA.base}.`;
  find("#curves div").replaceChildren(...DATA.curves.map(figure));
}
