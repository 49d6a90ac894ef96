// Says which address is under the pointer. Arguments: edges; `value` is the position.
const at = edges.data.position, digits = edges.data.address
let low = 0, high = at.length - 1
while (high - low > 1) {
  const middle = (low + high) >> 1
  if (at[middle] <= value) low = middle; else high = middle
}
const start = BigInt("0x" + digits[low]), size = BigInt("0x" + digits[high]) - start
const part = Math.min(Math.max((value - at[low]) / (at[high] - at[low]), 0), 1)
const address = start + (size * BigInt(Math.floor(part * 2 ** 40)) >> 40n)
return "0x" + address.toString(16).replace(/\B(?=(.{4})+$)/g, "_")
