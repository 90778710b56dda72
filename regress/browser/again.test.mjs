// VS Code under each preset of security headers, and opened again: then no file of it
// is asked for, and what the browser keeps is nobody's own.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { startDaemon, waitFor } from '../system/daemon.mjs';
import { openTrusting, shots, tellShell, terminal, visit, workbench } from './person.mjs';

let d;
let browser;
before(async () => {
	d = await startDaemon({ users: ['ann'], level: 'debug', ide: 'argument "--disable-workspace-trust"' });
	browser = await openTrusting(d);
}, { timeout: 180000 });
after(async () => {
	await browser?.close();
	await d?.stop();
});

const url = () => `${d.origin}/ide/?folder=/home/ann/workspaces`;

for (const preset of ['balanced', 'strict', 'development']) {
	test(`headers ${preset}: the workbench loads, and a terminal works`, { timeout: 240000 }, async (t) => {
		d.write(`headers ${preset}`);
		d.ok(['reload']);
		const { context, page, complaints } = await visit(d, browser, 'ann', { trusting: true });
		t.after(() => context.close());
		t.after(() => page.screenshot({ path: `${shots}/preset-${preset}.png` }).catch(() => {}));
		const refused = [];
		page.on('console', (m) => { if (/Content Security Policy|Trusted ?Type|Permissions policy violation/i.test(m.text())) refused.push(m.text()); });
		await workbench(page, url());
		await terminal(page);
		const file = `${d.home('ann')}/workspaces/${preset}.txt`;
		await tellShell(page, `echo $((6*7)) > ${preset}.txt`, 'the terminal', () => fs.existsSync(file) && fs.readFileSync(file, 'utf8') === '42\n');
		assert.deepEqual(complaints, []);
		assert.deepEqual(refused, []);
		assert.doesNotMatch(d.log, /csp\.report/);
	});
}

test('opened again: no file of VS Code is asked for', { timeout: 480000 }, async (t) => {
	const { context, page } = await visit(d, browser, 'ann', { trusting: true });
	t.after(() => context.close());
	t.after(() => page.screenshot({ path: `${shots}/again.png` }).catch(() => {}));
	await workbench(page, url());
	const kept = () => page.evaluate(async () => {
		await navigator.serviceWorker.ready;
		const names = await caches.keys();
		const out = [];
		for (const n of names) for (const k of await (await caches.open(n)).keys()) out.push([n, k.url]);
		return out;
	});
	// The first time the worker comes too late; the second time it keeps.
	await workbench(page, url());
	await waitFor('the workbench to be kept', async () => (await kept()).some(([, u]) => u.endsWith('/workbench/workbench.js')), 30000, 500);
	for (const [name, u] of (await kept()).filter(([n]) => n.startsWith('ided')))
		assert.match(u, /^https:\/\/localhost:\d+\/ide\/[a-z]+-[0-9a-f]{40}\/static\/[^?]+$/, name);
	// The browser's own cache thrown away: only the worker has it.  What was not loaded
	// before, as the page was left too soon, may be asked for once.
	const session = await context.newCDPSession(page);
	const asked = async () => {
		const has = new Set((await kept()).map(([, u]) => new URL(u).pathname));
		await session.send('Network.clearBrowserCache');
		// All that was asked until now is in the log.
		const mark = `/none-${has.size}-${Date.now()}`;
		assert.equal((await d.request('GET', mark)).status, 404);
		await d.says(new RegExp(mark));
		const from = d.log.length;
		await workbench(page, url());
		const all = [...d.log.slice(from).matchAll(/request\.done .*?path="?([^" ]*\/static\/out\/[^" ]*)/g)].map((m) => m[1]);
		assert.deepEqual(all.filter((p) => has.has(p)), [], 'what is kept');
		return all;
	};
	let last;
	await waitFor('an opening that asks for no file', async () => (last = await asked()).length === 0, 180000, 0)
		.catch((e) => { throw new Error(`${e.message}: ${last}`); });
});
