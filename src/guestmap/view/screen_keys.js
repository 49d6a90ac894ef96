// What is typed while the screen has the focus goes to the guest; Ctrl+Alt leaves.
// Arguments: plot (the screen); typed (its value: a number that grows, 1 or 0, the key's code).
const within = root => {
  for (const each of root?.querySelectorAll("*") ?? []) {
    const hit = each.matches(".bk-events") ? each : within(each.shadowRoot)
    if (hit) return hit
  }
  return null
}
const screen = within(Bokeh.index.find_one(plot)?.el.shadowRoot)
if (!screen || screen.role === "application") return
screen.tabIndex = 0
screen.role = "application"
screen.setAttribute("aria-label",
  "the guest's screen: what is typed here goes to its keyboard; Control and Alt together leave")
screen.style.outlineOffset = "-2px"
const held = new Set()
let count = 0
const send = (code, down) => {
  down ? held.add(code) : held.delete(code)
  typed.value = `${++count} ${down ? 1 : 0} ${code}`
}
const release = () => { for (const each of [...held]) send(each, false) }
screen.addEventListener("pointerdown", () => screen.focus({preventScroll: true}))
screen.addEventListener("blur", release)
screen.addEventListener("keydown", event => {
  event.preventDefault()
  event.stopPropagation()
  const leaves = event.ctrlKey && event.altKey && /^(Control|Alt)/.test(event.code)
  if (leaves) screen.blur()
  else send(event.code, true)
})
screen.addEventListener("keyup", event => {
  event.preventDefault()
  event.stopPropagation()
  if (held.has(event.code)) send(event.code, false)
})
