// Shows as many whole lanes as there is room for, but never less than is needed.
// Arguments: plot; lanes (where each ends, and where those end that are needed); narrowest (a lane,
// in pixels).
if (plot.properties.inner_width.is_unset || !plot.inner_width) return
const room = plot.inner_width / narrowest
const {end: ends, needed} = lanes.data
const end = Math.max(needed[0], ...ends.filter(each => each <= room)) + 0.03
if (Math.abs(plot.x_range.end - end) > 0.001) plot.x_range.setv({start: -0.03, end})
