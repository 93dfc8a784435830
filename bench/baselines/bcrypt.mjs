/**
 * Prints the comparisons of bcryptjs per second on one thread. Arguments: the cost, and the
 * seconds.
 */
import bcrypt from 'bcryptjs'

const [cost, seconds] = process.argv.slice(2).map(Number)
const hash = bcrypt.hashSync('seven wet umbrellas', cost)
const end = performance.now() + seconds * 1000
const began = performance.now()
let done = 0
for (; performance.now() < end; done++) bcrypt.compareSync('seven wet umbrellas', hash)
console.log(done / ((performance.now() - began) / 1000))
