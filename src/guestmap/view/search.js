// Finds boxes by name or address, marks them, and brings the first, or the next, into view.
// Arguments: box (the text input), answer, tabs (or null), plots, boxes, marks, edges (lists, one
// of each for a panel), step (1: the next one is asked for), state (which one is in view).
const asked = box.value_input.trim()
const clean = asked.replace(/_/g, "").toLowerCase()
const places = []
const columns = boxes.map(each => each.data)
const spoken = a => "0x" + a.toString(16).replace(/\B(?=(.{4})+$)/g, "_")

const by_name = () => columns.forEach((data, panel) => data.title.forEach((title, i) => {
  if (data.kind[i] != "nobody answers" && title.toLowerCase().includes(asked.toLowerCase()))
    places.push({panel, i})
}))
const by_address = address => columns.forEach((data, panel) => data.start.forEach((start, i) => {
  if (BigInt("0x" + start) <= address && address < BigInt("0x" + data.end[i]))
    places.push({panel, i})
}))

const digits = /^(?:0x([0-9a-f]+)|([0-9a-f]+)h|([0-9a-f]+))$/.exec(clean)
let address = null
if (asked && !(digits && (digits[1] || digits[2]))) by_name()
if (digits && places.length == 0) {
  address = BigInt("0x" + (digits[1] || digits[2] || digits[3]))
  by_address(address)
}

// The same box is found in a lane of a tree too: what accesses reach comes first.
places.sort((a, b) => columns[b.panel].views[b.i] - columns[a.panel].views[a.i] ||
  a.panel - b.panel || columns[a.panel].top[a.i] - columns[b.panel].top[b.i])
const key = asked + "|" + places.length
state.tags = [state.tags[0] === key ? state.tags[0] : key,
  state.tags[0] === key ? (state.tags[1] + step) % Math.max(places.length, 1) : 0]
const current = places[state.tags[1]]

const position = (data, a) => {
  const at = data.position, all = data.address.map(d => BigInt("0x" + d))
  let i = all.findLastIndex(each => each <= a)
  if (i < 0) return at[0]
  if (i >= all.length - 1) return at[at.length - 1]
  return at[i] + (at[i + 1] - at[i]) * Number((a - all[i]) * 1000000n / (all[i + 1] - all[i])) / 1e6
}
marks.forEach((mark, panel) => {
  const data = columns[panel], found = {left: [], right: [], top: [], bottom: [], width: []}
  for (const place of places) {
    if (place.panel != panel || (address !== null && data.state[place.i] == "frame")) continue
    for (const side of ["left", "right", "top", "bottom"]) found[side].push(data[side][place.i])
    found.width.push(place === current ? 4 : 2)
  }
  if (address !== null && places.some(place => place.panel == panel)) {
    const y = position(edges[panel].data, address)
    found.left.push(Math.min(...data.left)); found.right.push(Math.max(...data.right))
    found.top.push(y); found.bottom.push(y); found.width.push(1.5)
  }
  mark.data = found
})

if (!asked) {
  answer.text = ""
} else if (!current) {
  answer.text = address === null ? "no region has that in its name"
    : spoken(address) + " is beyond every address space"
} else {
  const data = columns[current.panel], i = current.i, plot = plots[current.panel]
  if (tabs) tabs.active = current.panel
  const range = plot.y_range, length = edges[current.panel].data.position.at(-1)
  const y = address === null ? (data.top[i] + data.bottom[i]) / 2
    : position(edges[current.panel].data, address)
  const height = plot.properties.inner_height.is_unset ? 0 : plot.inner_height // in a tab not yet seen
  const readable = Math.max(height / 15, 24)
  const visible = Math.min(Math.abs(range.end - range.start), readable)
  const low = Math.min(Math.max(y - visible / 2, -0.2), Math.max(length - visible, -0.2) + 0.2)
  if (step || y < Math.min(range.start, range.end) || y > Math.max(range.start, range.end) ||
      visible < Math.abs(range.end - range.start))
    range.setv({start: low + visible, end: low})
  const words = address === null ? data.title[i] + ": " + data.range[i]
    : spoken(address) + ": " + data.title[i]
  answer.text = `${state.tags[1] + 1} of ${places.length}: ${words}, ${data.kind[i]}, ` +
    `${data.state[i]}, in lane ${data.lane[i]}`
}
