// Lets a keyboard move in a picture, and a screen reader say what it is.
// Arguments: plot; about (what is in it).
function* within(root) {
  for (const each of root.querySelectorAll("*")) {
    yield each
    if (each.shadowRoot) yield* within(each.shadowRoot)
  }
}
const outer = Bokeh.index.find_one(plot)?.el
if (!outer) return
const parts = [...within(outer.shadowRoot)]
const picture = parts.find(each => each.matches(".bk-events")) ?? outer // what has the focus
if (picture.role) return
picture.tabIndex = 0
picture.role = "application"
picture.setAttribute("aria-label", about +
  ": arrows move, plus and minus zoom, 0 shows all; what a box is, the search line says")

const show = (range, from, span, sign) => { // within its bounds; sign: which end is the larger
  const [low, high] = range.bounds, seen = Math.min(span, high - low)
  const first = Math.min(Math.max(from, low), high - seen)
  range.setv(sign > 0 ? {start: first, end: first + seen} : {start: first + seen, end: first})
}
for (const tool of parts.filter(each => each.title && each.tabIndex === 0)) {
  tool.role = "button"
  tool.addEventListener("keydown", event => {
    if (event.key === "Enter" || event.key === " ") tool.click()
  })
}
picture.addEventListener("keydown", event => {
  if (event.ctrlKey || event.altKey || event.metaKey) return
  const y = plot.y_range, x = plot.x_range
  const tall = y.start - y.end, wide = x.end - x.start
  const down = part => () => show(y, y.end + part * tall, tall, -1)
  const zoom = times => () => show(y, y.end + tall * (1 - times) / 2, tall * times, -1)
  const doing = {
    ArrowDown: down(1 / 8), ArrowUp: down(-1 / 8), PageDown: down(7 / 8), PageUp: down(-7 / 8),
    Home: () => show(y, -Infinity, tall, -1), End: () => show(y, Infinity, tall, -1),
    "+": zoom(3 / 4), "=": zoom(3 / 4), "-": zoom(4 / 3), "0": () => show(y, 0, Infinity, -1),
    ArrowRight: () => show(x, x.start + wide / 8, wide, 1),
    ArrowLeft: () => show(x, x.start - wide / 8, wide, 1),
  }[event.key]
  if (!doing) return
  event.preventDefault()
  doing()
})
