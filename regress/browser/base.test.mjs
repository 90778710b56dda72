// VS Code where the whole site is below a prefix of its host: opened from the portal,
// with a terminal, its service worker, and a program's port below the same prefix.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { password, startDaemon, waitFor } from '../system/daemon.mjs';
import { serve } from '../system/port-daemon.mjs';
import { newContext, openTrusting, shots, tellShell, terminal } from './person.mjs';

const base = '/tools/ide.d';
let d, browser;

before(async () => {
	d = await startDaemon({ users: ['ann'], level: 'debug', ide: 'argument "--disable-workspace-trust"',
		conf: `base-path "${base}/"\nproxy { }` });
	browser = await openTrusting(d);
}, { timeout: 180000 });
after(async () => {
	await browser?.close();
	await d?.stop();
});

test('from the login to a terminal, and to a port', { timeout: 240000 }, async (t) => {
	const context = await newContext(browser, { ignoreHTTPSErrors: false, viewport: { width: 1280, height: 800 } });
	const page = await context.newPage();
	t.after(() => context.close());
	t.after(() => page.screenshot({ path: `${shots}/base.png` }).catch(() => {}));
	const strayed = [];
	page.on('request', (r) => {
		const u = new URL(r.url());
		if (u.protocol === 'https:' && u.origin === d.origin && !u.pathname.startsWith(`${base}/`)) strayed.push(u.pathname);
	});
	await page.goto(`${d.origin}${base}/`);
	await page.fill('#username', 'ann');
	await page.fill('#password', password);
	await page.click('button[type=submit]');
	await page.waitForURL(`${d.origin}${base}/`);
	assert.equal(await page.getAttribute('a.button', 'href'), `${base}/ide/`);
	await page.goto(`${d.origin}${base}/ide/?folder=/home/ann/workspaces`);
	await page.waitForSelector('.explorer-folders-view, .explorer-viewlet');
	await terminal(page);
	const file = `${d.home('ann')}/workspaces/here`;
	await tellShell(page, 'echo $((6*7)) > here', 'the terminal', () => fs.existsSync(file) && fs.readFileSync(file, 'utf8') === '42\n');
	// Its worker keeps files for what is below the prefix, and for nothing else.
	const scopes = await page.evaluate(async () => {
		await navigator.serviceWorker.ready;
		return (await navigator.serviceWorker.getRegistrations()).map((r) => new URL(r.scope).pathname);
	});
	assert.ok(scopes.includes(`${base}/ide/`), scopes.join(' '));
	await page.reload();
	await page.waitForSelector('.explorer-folders-view, .explorer-viewlet');
	await waitFor('files to be kept', () => page.evaluate(async () =>
		(await (await caches.open('ided-static')).keys()).some((k) => k.url.endsWith('/workbench.js'))), 30000, 500);
	await serve(d, 'ann', 3000);
	const port = await context.newPage();
	const answer = await port.goto(`${d.origin}${base}/proxy/3000/hello`);
	assert.equal((await answer.json()).url, '/hello');
	assert.deepEqual(strayed, []);
});
