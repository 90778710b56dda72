// Slow clients: slowhttptest's slow heads, bodies and readers, from one address
// and from 200.  Others are served all the while, and each slow connection has
// its end within 20 seconds.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { load, startDaemon, sleep, waitFor } from '../system/daemon.mjs';
import { sources, status } from './backend.mjs';
import { tool } from './tool.mjs';

const LONG = Boolean(process.env.IDED_LONG);
const source = sources(15);
let d;
before(async () => { d = await startDaemon({ users: ['ann'] }); });
after(() => d?.stop());

const large = '/_static/src/browser/media/templates.png';
const modes = {
	heads: [['-H', '-i', '5', '-x', '24'], '/login'],
	bodies: [['-B', '-i', '5', '-s', '8192', '-x', '10', '-t', 'POST'], '/login'],
	// What we still hold for it, and what the kernel does.
	'readers of much': [['-X', '-w', '10', '-y', '20', '-n', '5', '-z', '32', '-k', '10'], large],
	'readers of little': [['-X', '-w', '10', '-y', '20', '-n', '5', '-z', '32', '-k', '1'], large],
};

// slowhttptest sees the end of a connection only once it reads so far; what
// counts is ours: how long the kernel had a socket of ours open to each of them.
class Sockets {
	constructor() {
		this.port = d.port.toString(16).toUpperCase().padStart(4, '0');
		this.seen = new Map();
		this.timer = setInterval(() => this.look(), 1000);
	}

	look() {
		const now = Date.now();
		this.open = 0;
		for (const line of fs.readFileSync('/proc/net/tcp', 'latin1').split('\n')) {
			const [, local, peer, state] = line.trim().split(/\s+/);
			// Established, or closed by one side only.
			if (!local?.endsWith(`:${this.port}`) || !['01', '04', '05', '08'].includes(state)) continue;
			// 127.40 to 127.51, as it lies in memory.
			if (!/^.{4}(2[89A-F]|3[0-3])7F:/.test(peer)) continue;
			this.open++;
			const t = this.seen.get(peer) ?? { from: now };
			t.to = now;
			this.seen.set(peer, t);
		}
	}

	stop() { clearInterval(this.timer); }

	get longest() { return Math.max(0, ...[...this.seen.values()].map((t) => t.to - t.from)) / 1000; }
}

async function slow(name, connections, hosts, net) {
	const [args, path] = modes[name];
	const length = Math.ceil(connections / 50) + 22;
	const r = await tool('slowhttptest', ['-c', `${connections}`, '-r', '50', '-l', `${length}`, '-p', '5', ...args,
		'-u', `https://127.0.0.1:${d.port}${path}`], { net, hosts, ms: 180000 });
	assert.match(r.out, /Exit status/, r.out.slice(-800));
}

// A visitor who has not been here before, again and again until over() is.
async function visit(over) {
	const r = { visits: 0, failed: [], slowest: 0 };
	while (!over()) {
		const start = Date.now();
		const got = await d.request('GET', '/healthz', { localAddress: source() }).catch((e) => ({ status: e.message }));
		r.visits++;
		r.slowest = Math.max(r.slowest, Date.now() - start);
		if (got.status !== 200) r.failed.push(got.status);
		await sleep(100);
	}
	return r;
}

async function run(t, what, connections) {
	let running = true;
	const visitor = visit(() => !running);
	const sockets = new Sockets();
	await Promise.all(what.map(([name, hosts], i) => slow(name, connections, hosts, hosts > 1 ? 40 : 41 + i))).finally(() => { running = false; sockets.stop(); });
	const v = await visitor;
	t.diagnostic(`${sockets.seen.size} connections, the longest ${sockets.longest} s; ${v.visits} visits, the slowest ${v.slowest} ms`);
	assert.deepEqual(v.failed, []);
	assert.ok(v.visits > 20);
	assert.ok(sockets.seen.size >= Math.min(connections, 64), `${sockets.seen.size} seen`);
	// 20 seconds, on a machine that has nothing else to do.
	assert.ok(sockets.longest <= 20 + 5, `${sockets.longest} s`);
	// Somebody logs in from another address, and nobody holds a worker any more.
	await d.login('ann', undefined, { localAddress: source() });
	await waitFor('the last worker of theirs', () => { const s = status(d); return s.unauthenticated === 0; });
	assert.equal(status(d).crashes, 0);
}

const all = Object.keys(modes);
if (!LONG) {
	const n = load(200);
	test(`${n} slow connections of each kind, from 200 addresses and from one`, { timeout: 240000 },
		(t) => run(t, all.flatMap((kind) => [[kind, 200], [kind, 1]]), n));
} else {
	for (const name of all)
		for (const connections of [200, 2000])
			for (const hosts of [1, 200])
				test(`${connections} slow ${name} from ${hosts}`, { timeout: 240000 }, (t) => run(t, [[name, hosts]], connections));
}
