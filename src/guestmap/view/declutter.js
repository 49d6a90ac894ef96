// Shows the labels and axis ticks for which there is room, and cuts words that are too long.
// Arguments: plot; labels, edges and headings (all of them); written (the labels that are shown);
// ticker (of the edges), above (the axis with the headings), outlined (the glyph of the boxes).
const MARGIN = 0.15
// Until a plot is laid out its sizes are unset, and Bokeh 3.10 lets nobody read what is.
if (plot.properties.inner_height.is_unset || plot.properties.inner_width.is_unset) return
const height = plot.inner_height, width = plot.inner_width
if (!height || !width) return
const whole = edges.data.position.at(-1)
if (!plot.tags.includes("placed")) { // once: as much as can be read, from the top
  plot.tags = ["placed"]
  const start = (height / whole < 11.5 ? height / 15 : whole) + MARGIN
  if (Math.abs(plot.y_range.start - start) > 0.01) {
    plot.y_range.setv({start, end: -MARGIN})
    return
  }
}
const low = Math.min(plot.y_range.start, plot.y_range.end)
const high = Math.max(plot.y_range.start, plot.y_range.end)
const tall = height / (high - low), wide = width / (plot.x_range.end - plot.x_range.start)
const LINE = 13, PAD = 5, LEADING = 12

// Where boxes are but a few pixels high, outlines would be all that one sees.
const outline = tall < 7 ? 0 : 1
if (outlined.line_alpha.value !== outline) outlined.line_alpha = {value: outline}

const pen = document.createElement("canvas").getContext("2d")
pen.font = "11px Helvetica, Arial, sans-serif"
const fits = (text, room) => pen.measureText(text).width <= room
const cut = (text, room) => {
  if (fits(text, room)) return text
  let length = text.length
  while (length > 1 && !fits(text.slice(0, length) + "…", room)) length--
  return length > 1 ? text.slice(0, length) + "…" : ""
}
const ARROW = " → "
const wording = (text, detail, room, lines) => { // on one line, or the end on the next, or cut
  const both = detail ? text + "  " + detail : text
  if (fits(both, room)) return both
  const arrow = fits(text, room) ? -1 : text.indexOf(ARROW)
  const parts = arrow > 0 ? [text.slice(0, arrow + 2), text.slice(arrow + ARROW.length)] : [text]
  if (lines < parts.length) return cut(text, room)
  return [...parts, detail].filter(part => part).slice(0, lines)
    .map(part => cut(part, room)).join("\n")
}
const heading = (line, room) => { // of several names, the first
  const names = line.split(", "), more = names.at(-1).match(/^(\d+) more$/)
  if (names.length < 2 || fits(line, room)) return cut(line, room)
  return cut(`${names[0]} and ${names.length - 2 + Number(more ? more[1] : 1)} more`, room)
}

const all = labels.data, shown = {x: [], y: [], text: [], colour: [], paper: [], angle: [], align: []}
for (let i = 0; i < all.top.length; i++) {
  const top = Math.max(all.top[i], low), bottom = Math.min(all.bottom[i], high)
  const room_y = (bottom - top) * tall, room_x = (all.right[i] - all.left[i]) * wide
  const upright = all.upright[i]
  if (room_y < LINE - 2 || (upright && room_y < 40)) continue
  const text = upright ? cut(all.text[i], room_y - 2 * PAD)
    : wording(all.text[i], all.detail[i], room_x - 2 * PAD, Math.max(1, Math.floor(room_y / LEADING)))
  shown.x.push(upright ? (all.left[i] + all.right[i]) / 2 : all.left[i] + PAD / wide)
  shown.y.push((top + bottom) / 2)
  shown.text.push(text)
  shown.colour.push(all.colour[i])
  shown.paper.push(all.paper[i])
  shown.angle.push(upright ? Math.PI / 2 : 0)
  shown.align.push(upright ? "center" : "left")
}
written.data = shown

// Ticks: those that matter first, each at least a line away from all others.
const at = edges.data.position, kept = [], rows = new Set()
for (const rank of [2, 1, 0]) {
  for (let i = 0; i < at.length; i++) {
    if (edges.data.rank[i] != rank || at[i] < low || at[i] > high) continue
    const pixel = at[i] * tall, row = Math.floor(pixel / LINE)
    const near = [row - 1, row, row + 1].some(r => rows.has(r) &&
      kept.some(k => Math.abs(k * tall - pixel) < LINE))
    if (near) continue
    kept.push(at[i])
    rows.add(row)
  }
}
ticker.ticks = kept.sort((a, b) => a - b)

const heads = headings.data
above.major_label_overrides = new Map(heads.middle.map((middle, i) =>
  [middle, heads.words[i].split("\n")
    .map(line => heading(line, (heads.right[i] - heads.left[i]) * wide)).join("\n")]))
