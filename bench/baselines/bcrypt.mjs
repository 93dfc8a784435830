/** Comparisons that bcryptjs makes in a second on one thread: arguments are the cost and for how many seconds. */
import bcrypt from 'bcryptjs'

const [cost, seconds] = process.argv.slice(2).map(Number)
const hash = bcrypt.hashSync('seven wet umbrellas', cost)
const end = performance.now() + seconds * 1000
const began = performance.now()
let done = 0
for (; performance.now() < end; done++) bcrypt.compareSync('seven wet umbrellas', hash)
console.log(done / ((performance.now() - began) / 1000))
