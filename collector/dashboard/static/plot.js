/** Events a minute by class, drawn again every few seconds and when the page changes its width. */
import uPlot from './uplot.js';

const EVERY_MS = 5000;
const HEIGHT = 170;

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export async function plotActivity(element) {
  let plot;
  let names = '';
  const draw = async () => {
    const response = await fetch(element.dataset.source);
    if (!response.ok) return;
    const { times, series } = await response.json();
    const data = [times, ...Object.values(series)];
    if (plot && names === Object.keys(series).join()) {
      plot.setData(data);
      return;
    }
    names = Object.keys(series).join();
    plot?.destroy();
    plot = new uPlot(options(element.clientWidth, Object.keys(series)), data, element);
  };
  new ResizeObserver(() => plot?.setSize({ width: element.clientWidth, height: HEIGHT })).observe(element);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => (names = ''));
  await draw();
  setInterval(draw, EVERY_MS);
}

function options(width, names) {
  const axis = {
    stroke: color('--quiet'),
    grid: { stroke: color('--line'), width: 1 },
    ticks: { show: false },
    font: '12px system-ui',
  };
  return {
    width,
    height: HEIGHT,
    cursor: { drag: { x: false, y: false } },
    scales: { y: { range: (_, __, max) => [0, Math.max(10, max * 1.1)] } },
    axes: [axis, { ...axis, size: 60 }],
    series: [
      {},
      ...names.map((label, i) => ({ label, stroke: color(`--series-${i % 8}`), width: 1.5, points: { show: false } })),
    ],
  };
}
