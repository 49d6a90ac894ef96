// Says to screen readers what widgets leave out.
// Arguments: names (what things are called; "": to be passed over), named (those); toggles; told
// (words that change).
const found = (root, selector) => {
  for (const each of root?.querySelectorAll("*") ?? []) {
    const hit = each.matches(selector) ? each : found(each.shadowRoot, selector)
    if (hit) return hit
  }
  return null
}
const inside = (model, selector) => found(Bokeh.index.find_one(model)?.el.shadowRoot, selector)
named.forEach((model, i) => {
  const element = inside(model, "[role=slider], .bk-events")
  if (!element) return
  if (element.role !== "slider") { // a picture with which nobody does a thing by keys
    element.role = "img"
    element.tabIndex = -1
    element.ariaHidden = !names[i]
  }
  element.setAttribute("aria-label", names[i])
})
for (const toggle of toggles) inside(toggle, "button")?.setAttribute("aria-pressed", toggle.active)
for (const words of told) Bokeh.index.find_one(words)?.el.setAttribute("aria-live", "polite")
