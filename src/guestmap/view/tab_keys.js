// Lets a keyboard open tabs, as WAI-ARIA's pattern "Tabs" has it. Arguments: tabs.
const root = Bokeh.index.find_one(tabs)?.el.shadowRoot
const heads = [...(root?.querySelectorAll(".bk-tab") ?? [])]
heads.forEach((head, i) => {
  head.setAttribute("aria-selected", i === tabs.active)
  if (head.role === "tab") return
  head.role = "tab"
  head.parentElement.role = "tablist"
  head.addEventListener("keydown", event => {
    const count = heads.length
    const to = {
      Enter: i, " ": i, ArrowRight: (i + 1) % count, ArrowLeft: (i - 1 + count) % count,
    }[event.key]
    if (to === undefined) return
    event.preventDefault()
    tabs.active = to
    heads[to].focus()
  })
})
