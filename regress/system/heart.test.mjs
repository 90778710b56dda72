// When somebody was last active: /healthz, the heartbeat file, and the end of a
// server that nobody uses.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { startDaemon, waitFor } from './daemon.mjs';

const health = async (d) => (await d.request('GET', '/healthz')).json;

test('who is active beats, who only looks in does not; the file follows', async () => {
	const d = await startDaemon({ users: ['ann'] });
	try {
		const file = `${d.dir}/heartbeat`;
		d.write(`heartbeat "${file}"`);
		d.ok(['reload']);
		await waitFor('the file', () => fs.existsSync(file));
		await d.request('GET', '/');
		await d.request('GET', '/login');
		assert.deepEqual(await health(d), { status: 'expired', lastHeartbeat: 0 });
		assert.equal(fs.readFileSync(file, 'utf8'), '');

		const before = Date.now();
		const cookie = await d.login('ann');
		await d.request('GET', '/ide/version', { headers: { cookie } });
		const h = await waitFor('the beat', async () => {
			const r = await health(d);
			return r.status === 'alive' && r;
		});
		assert.ok(h.lastHeartbeat >= before - 1000 && h.lastHeartbeat <= Date.now() + 1000, String(h.lastHeartbeat));
		assert.match(fs.readFileSync(file, 'utf8'), /^1\d{12}\n$/);
		// Once a minute at most.
		const { mtimeMs } = fs.statSync(file);
		await d.request('GET', '/ide/version', { headers: { cookie: await d.login('ann') } });
		assert.equal(fs.statSync(file).mtimeMs, mtimeMs);
		// Many at a time are answered, each.
		const all = await Promise.all(Array.from({ length: 20 }, () => health(d)));
		for (const r of all) assert.equal(r.status, 'alive');
	} finally { await d.stop(); }
});

test('idle-exit: nobody is active, and it leaves', { timeout: 150000 }, async () => {
	const d = await startDaemon({ users: ['ann'], conf: 'idle-exit 10s' });
	try {
		const s = await d.raw();	// stands open, and is nobody
		s.on('error', () => {});
		await waitFor('the end', () => /ided\.idle seconds=[1-9]\d/.test(d.log), 100000, 500);
		await waitFor('the end of the process', () => { try { process.kill(d.pid, 0); return false; } catch { return true; } });
		s.destroy();
	} finally { await d.stop(); }
});
