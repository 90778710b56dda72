// Can an account be told by how long a login takes to fail?  A user who does not exist,
// one whose password is wrong and one who is disabled: logins in turn, one after the
// other, each from a source and over a connection of its own, and timed from the
// first byte of the request to the last of the answer.
//
// Two ways are held against each other by their medians and by Mann and Whitney's
// test: with p above 0.01 and less than 2 ms between the medians nothing can be told
// from a thousand logins.  COUNT says how many of each.  Ends with 1 if one can, or if
// the measure would not see 2 ms.
import { startDaemon } from '../system/daemon.mjs';

const count = Number(process.env.COUNT || 1000);
const ways = {
	unknown: () => `nobody${Math.floor(Math.random() * 1e6)}`,
	wrong: () => 'ann',
	disabled: () => 'eve',
};

// Two-sided p of the rank-sum test, by the normal distribution, with ties.
export function mannWhitney(a, b) {
	const all = [...a.map((v) => [v, 0]), ...b.map((v) => [v, 1])].sort((x, y) => x[0] - y[0]);
	const n = all.length;
	let ranks = 0, ties = 0;
	for (let i = 0; i < n;) {
		let j = i;
		while (j < n && all[j][0] === all[i][0]) j++;
		const rank = (i + j + 1) / 2;
		for (let k = i; k < j; k++) if (all[k][1] === 0) ranks += rank;
		ties += (j - i) ** 3 - (j - i);
		i = j;
	}
	const u = ranks - a.length * (a.length + 1) / 2;
	const mean = a.length * b.length / 2;
	const sd = Math.sqrt(a.length * b.length / 12 * (n + 1 - ties / (n * (n - 1))));
	const z = Math.max(0, Math.abs(u - mean) - 0.5) / sd;
	// The normal distribution's tail: Abramowitz and Stegun 7.1.26.
	const t = 1 / (1 + 0.3275911 * z / Math.SQRT2);
	const erfc = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429)))) *
		Math.exp(-z * z / 2);
	return erfc;
}

const quantile = (a, q) => [...a].sort((x, y) => x - y)[Math.floor(q * (a.length - 1))];

let sources = 0;
const from = () => { const n = ++sources; return `127.${16 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}`; };

async function one(d, name) {
	const body = new URLSearchParams({ username: name, password: 'Wrong-Horse-7' }).toString();
	const s = await d.raw({ localAddress: from() });
	const head = `POST /login HTTP/1.1\r\nHost: localhost:${d.port}\r\nOrigin: ${d.origin}\r\n` +
		'Content-Type: application/x-www-form-urlencoded\r\nConnection: close\r\n' +
		`Content-Length: ${body.length}\r\n\r\n${body}`;
	return new Promise((resolve, reject) => {
		let out = '', at = 0n;
		s.on('data', (b) => { out += b.toString('latin1'); });
		s.on('error', reject);
		s.on('end', () => {
			const ms = Number(process.hrtime.bigint() - at) / 1e6;
			if (!/^HTTP\/1\.1 401 /.test(out)) reject(new Error(`${name}: ${out.slice(0, 200)}`));
			resolve(ms);
			s.destroy();
		});
		at = process.hrtime.bigint();
		s.write(head);
	});
}

const d = await startDaemon({ users: ['ann', 'eve'], ratelimit: 'login 1000000 per 15m',
	prefork: 'spare 8\nmax 400\nper-source 100\nstartups 300:30:400' });
let told = false;
try {
	d.ok(['user', 'disable', 'eve']);
	const times = Object.fromEntries(Object.keys(ways).map((w) => [w, []]));
	for (let i = 0; i < 20; i++) for (const w of Object.keys(ways)) await one(d, ways[w]());
	for (let i = 0; i < count; i++) {
		// Each time in another order.
		const order = Object.keys(ways).sort(() => Math.random() - 0.5);
		for (const w of order) times[w].push(await one(d, ways[w]()));
	}
	for (const [w, a] of Object.entries(times))
		console.log(`${w.padEnd(9)} ${a.length} logins, median ${quantile(a, 0.5).toFixed(2)} ms, ` +
			`5 % ${quantile(a, 0.05).toFixed(2)}, 95 % ${quantile(a, 0.95).toFixed(2)}`);
	for (const [a, b] of [['unknown', 'wrong'], ['unknown', 'disabled'], ['wrong', 'disabled']]) {
		const p = mannWhitney(times[a], times[b]);
		const gap = Math.abs(quantile(times[a], 0.5) - quantile(times[b], 0.5));
		console.log(`${a} and ${b}: p ${p.toFixed(3)}, ${gap.toFixed(2)} ms between the medians`);
		told ||= p <= 0.01 || gap >= 2;
	}
	// What the measure would see: the same times, half of them 2 ms longer.
	const [even, odd] = [0, 1].map((r) => times.wrong.filter((_, i) => i % 2 === r));
	const seen = mannWhitney(even, odd.map((v) => v + 2));
	console.log(`of itself: p ${mannWhitney(even, odd).toFixed(3)}; with 2 ms more ${seen.toExponential(1)}`);
	told ||= seen > 0.01;
} finally {
	await d.stop();
}
process.exitCode = told ? 1 : 0;
