import { availableParallelism, cpus, totalmem } from 'node:os'
import { markdownTable } from '../test/support/markdown-table.js'
import { type Figure, median, reaches } from './figures.js'
import { CONNECTIONS, GENERATOR } from './load.js'
import type { Series } from './measures.js'

/** The machine and the load generator that the figures come from. */
export function machine(): string {
  const [cpu] = cpus()
  const memory = Math.round(totalmem() / 2 ** 30)
  return `${availableParallelism()} cores of ${cpu?.model.trim() || process.arch}, ${memory} GiB, Node ${process.version}, ${GENERATOR} with ${CONNECTIONS} connections on the same machine`
}

/**
 * Requests per second and latencies as a Markdown table, for the terminal and for the
 * documentation.
 */
export function loadTable(series: Series[]): string[] {
  const rows = series.map(({ name, loads }) => {
    const of = (pick: (load: Series['loads'][number]) => number) => loads.map(pick)
    const rates = of(({ requestsPerSecond }) => requestsPerSecond)
    const [least, most] = [Math.min(...rates), Math.max(...rates)].map((rate) => rate.toFixed(0))
    return [
      name,
      median(rates).toFixed(0),
      `${least}–${most}`,
      median(of(({ p50 }) => p50)).toFixed(1),
      median(of(({ p99 }) => p99)).toFixed(1),
      String(of(({ wrong }) => wrong).reduce((sum, wrong) => sum + wrong, 0)),
    ]
  })
  return markdownTable(['route', 'requests/s', 'spread', 'p50 ms', 'p99 ms', 'wrong answers'], rows)
}

export function figureTable(figures: Figure[]): string[] {
  const rows = figures.map((figure) => {
    const { name, better, must, aim, unit, values, notMeasured } = figure
    const sign = better === 'higher' ? '≥' : '≤'
    const bounds = [`${sign} ${must} ${unit}`, `${sign} ${aim} ${unit}`]
    if (values.length === 0) return [name, `not measured: ${notMeasured}`, '', ...bounds, '']
    const spread = values.length > 1 ? `${round(Math.min(...values))}–${round(Math.max(...values))}` : ''
    const verdict = reaches(figure, aim) ? 'aim' : reaches(figure, must) ? 'must' : 'MISSED'
    return [name, `${round(median(values))} ${unit}`, spread, ...bounds, verdict]
  })
  return markdownTable(['figure', 'median', 'spread', 'must', 'aim', 'reached'], rows)
}

function round(value: number): string {
  return value >= 20 ? value.toFixed(0) : value.toFixed(2)
}

const WIDTH = 760
const ROW = 34
const LEFT = 300

/** A bar chart of requests per second with the spread of the rounds, for light and dark pages. */
export function picture(series: Series[], caption: string): string {
  const rates = series.map(({ loads }) => loads.map(({ requestsPerSecond }) => requestsPerSecond))
  const longest = Math.max(...rates.flat())
  const scale = (rate: number) => (rate / longest) * (WIDTH - LEFT - 90)
  const bars = series.map(({ name }, index) => {
    const own = rates[index] ?? []
    const [y, middle] = [52 + index * ROW, scale(median(own))]
    const [least, most] = [scale(Math.min(...own)), scale(Math.max(...own))]
    const kind = name.includes('checks nothing') ? 'bare' : name.includes('textbook') ? 'other' : 'ours'
    return `
  <text x="${LEFT - 10}" y="${y + 16}" text-anchor="end">${name}</text>
  <rect class="${kind}" x="${LEFT}" y="${y}" width="${middle.toFixed(1)}" height="22" rx="3"/>
  <path class="spread" d="M${(LEFT + least).toFixed(1)} ${y + 11}H${(LEFT + most).toFixed(1)}"/>
  <text x="${(LEFT + Math.max(middle, most) + 8).toFixed(1)}" y="${y + 16}">${Math.round(median(own)).toLocaleString('en')}</text>`
  })
  const height = 52 + series.length * ROW + 30
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="Requests per second by route">
  <style>
    text { font: 13px system-ui, sans-serif; fill: #1f2328 } .title { font-weight: 600 } .caption { font-size: 11px; fill: #59636e }
    .ours { fill: #1a7f64 } .bare { fill: #a0a8b0 } .other { fill: #c9822b } .spread { stroke: #1f2328; stroke-width: 1.5 }
    @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .caption { fill: #9198a1 } .spread { stroke: #e6edf3 } }
  </style>
  <text class="title" x="12" y="26">Requests per second, one process, both stores read for every check</text>${bars.join('')}
  <text class="caption" x="12" y="${height - 10}">${caption}</text>
</svg>
`
}
