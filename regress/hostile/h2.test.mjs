// The ten floods of HTTP/2: each is stopped, cheaply, and nobody else notices.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { startDaemon, waitFor } from '../system/daemon.mjs';
import { floods } from './h2-floods.mjs';

let d;
before(async () => { d = await startDaemon({}); });
after(() => d?.stop());

function cost() {
	let ticks = 0;
	let rss = 0;
	for (const p of d.role('worker')) {
		try {
			const f = fs.readFileSync(`/proc/${p.pid}/stat`, 'utf8').split(') ')[1].split(' ');
			ticks += Number(f[11]) + Number(f[12]);
			rss = Math.max(rss, Number(f[21]) * 4);
		} catch { /* it is gone, and its cost with it */ }
	}
	return { ticks, rss };
}

for (const [name, flood] of Object.entries(floods)) {
	test(`${name} is stopped`, { timeout: 60000 }, async () => {
		const before = cost();
		let peak = before;
		const watch = setInterval(() => {
			const c = cost();
			peak = { ticks: Math.max(peak.ticks, c.ticks), rss: Math.max(peak.rss, c.rss) };
		}, 20);
		const r = await flood({ host: '127.0.0.1', port: d.port, ms: 8000 });
		clearInterval(watch);
		assert.equal(r.stopped, true, `${r.frames} frames in ${r.ms} ms`);
		assert.ok(peak.ticks - before.ticks < 100, `${(peak.ticks - before.ticks) * 10} ms of cpu`);
		assert.ok(peak.rss - before.rss < 16384, `${peak.rss - before.rss} kB more`);
		assert.equal((await d.request('GET', '/healthz', { localAddress: '127.0.0.7' })).status, 200);
	});
}

test('no worker crashed over all of them', async () => {
	const s = JSON.parse(d.ok(['-j', 'status']));
	assert.equal(s.crashes, 0);
});
