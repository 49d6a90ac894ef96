// Scrolls a list to the line that is marked in it, where that is not in view: when it is laid out,
// as a browser scrolls by itself until then.
// Arguments: list.
setTimeout(() => {
  const lines = Bokeh.index.find_one(list)?.input_el
  const at = [...(lines?.options ?? [])].findIndex(each => each.value === list.value.at(-1))
  if (at < 0) return
  const tall = lines.scrollHeight / lines.options.length, top = at * tall
  if (top < lines.scrollTop || top + tall > lines.scrollTop + lines.clientHeight)
    lines.scrollTop = top - (lines.clientHeight - tall) / 2
}, 50)
