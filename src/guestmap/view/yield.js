// Shows as many whole lanes as there is room for with their names, but never less than is needed.
// Arguments: plot; lanes (where each ends, and where those end that are needed); labels (what is
// written in them); narrowest, widest (what a lane gets at least, and for its names at most, in
// pixels).
if (plot.properties.inner_width.is_unset || !plot.inner_width) return
const PAD = 5, LINES = 2 * 13, MARGIN = 0.06
const pen = document.createElement("canvas").getContext("2d")
pen.font = "11px Helvetica, Arial, sans-serif"
const wide = text => pen.measureText(text).width

const tall = plot.properties.inner_height.is_unset ? 0
  : plot.inner_height / Math.abs(plot.y_range.start - plot.y_range.end)
const all = labels.data
const wants = (all.text ?? []).map((text, i) => { // pixels for a lane that is 1 wide
  const has_two = (all.bottom[i] - all.top[i]) * tall >= LINES - 2
  const [first, ...rest] = has_two ? text.split(/(?<= →) /) : [text]
  const needed = Math.max(wide(first), ...rest.map(wide)) + 2 * PAD
  const of_one = needed / (all.right[i] - all.left[i])
  return all.upright[i] ? 0 : Math.min(of_one, widest)
})
const {end: ends, needed} = lanes.data
const fits = end => {
  const scale = plot.inner_width / (end + MARGIN)
  return scale >= narrowest && wants.every((want, i) => all.right[i] > end || want <= scale)
}
const end = Math.max(needed[0], ...ends.filter(fits)) + MARGIN / 2
if (Math.abs(plot.x_range.end - end) > 0.001) plot.x_range.setv({start: -MARGIN / 2, end})
