// Bars, told apart by their pattern and not by colour alone. The same is in a table beside.

import { number } from "./time";

export interface Bar {
  label: string;
  allowed: number;
  denied: number;
}

const [HEIGHT, BELOW] = [180, 22];

export function Chart({ bars, label }: { bars: Bar[]; label: string }) {
  const most = Math.max(1, ...bars.map(({ allowed, denied }) => allowed + denied));
  // In parts of the width: texts are as large on a phone.
  const step = 100 / bars.length;
  const high = (value: number) => ((HEIGHT - BELOW - 8) * value) / most;
  const base = HEIGHT - BELOW;
  const every = Math.ceil(bars.length / 8);
  return (
    <figure>
      <svg class="chart" height={HEIGHT} role="img" aria-label={label}>
        <defs>
          <pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
            <rect class="denied" width="3" height="6" />
          </pattern>
        </defs>
        <line class="axis" x2="100%" y1={base} y2={base} />
        <text x={-6} y={base - high(most) + 4} text-anchor="end">{number(most)}</text>
        <text x={-6} y={base} text-anchor="end">0</text>
        {bars.map(({ label, allowed, denied }, place) => {
          const [x, width] = [`${place * step}%`, `${step * 0.8}%`];
          return (
            <g key={label}>
              <rect class="allowed" x={x} width={width} y={base - high(allowed)} height={high(allowed)} />
              <rect class="hatched" fill="url(#hatch)" x={x} width={width} y={base - high(allowed + denied)} height={high(denied)} />
              {place % every === 0 && <text class={place % (4 * every) === 0 ? undefined : "wide"} x={x} y={HEIGHT - 6}>{label}</text>}
            </g>
          );
        })}
      </svg>
      <figcaption class="small"><span class="key allowed" /> allowed <span class="key denied" /> denied (hatched)</figcaption>
    </figure>
  );
}
