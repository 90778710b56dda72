// A window of VS Code that somebody works in, and one that was forgotten.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { startDaemon, sleep, waitFor } from '../system/daemon.mjs';
import { command, openTrusting, shots, untilDone, visit, workbench } from './person.mjs';

let d, browser;
before(async () => {
	d = await startDaemon({ users: ['ann'], isolation: 'idle-stop 1h\nspare 0', ide: 'argument "--disable-workspace-trust"' });
	browser = await openTrusting(d); // webviews need a service worker
}, { timeout: 180000 });
after(async () => {
	await browser?.close();
	await d?.stop();
});

// It is told of once a minute at most: as if one had passed.
const minute = (page) => page.evaluate(() => { const { now } = Date; Date.now = () => now() + 61e3; });

test('what is done in a window is told; one that was forgotten keeps nothing on, and does not come back by itself', { timeout: 600000 }, async (t) => {
	const { page } = await visit(d, browser, 'ann', { trusting: true });
	t.after(() => page.screenshot({ path: `${shots}/activity.png` }).catch(() => {}));
	const told = [], sockets = [];
	page.on('request', (r) => { if (r.url().endsWith('/api/users/me/activity')) told.push(r); });
	page.on('websocket', (w) => sockets.push(w.url()));
	d.ok(['sandbox', 'exec', 'ann', '--', 'sh', '-c', 'cat >/home/ann/workspaces/note.md'], '# Seen in a webview\n');
	await workbench(page, `${d.origin}/ide/?folder=/home/ann/workspaces`);
	await waitFor('word of the page', () => told.length > 0);
	assert.equal((await told.at(-1).response()).status(), 200);

	// Typed in the page, and in a webview of it.
	const once = async (what, act) => {
		await minute(page);
		const before = told.length;
		await act();
		await waitFor(what, () => told.length > before);
		await act();
		await act();
		assert.equal(told.length, before + 1, `${what}: once a minute`);
		assert.deepEqual(Object.keys(told.at(-1).postDataJSON()), ['idle']);
	};
	await once('a key', () => page.keyboard.press('Shift'));
	await untilDone(page, async (timeout) => {
		await page.locator('.explorer-folders-view >> text=note.md').first().dblclick({ timeout });
		await page.waitForSelector('.editor-container .monaco-editor', { timeout });
	});
	const webview = 'iframe.webview.ready';
	await command(page, 'Markdown: Open Preview to the Side', (timeout) => page.waitForSelector(webview, { state: 'attached', timeout: 4 * timeout }));
	// The inner frame is another one each time that it is drawn.
	await untilDone(page, (timeout) => page.frameLocator(webview).first().frameLocator('#active-frame').locator('text=Seen in a webview').first().click({ timeout }));
	await once('a key in a webview', () => page.keyboard.press('Shift'));

	// Nobody is there any more, but the window is.
	assert.equal(d.sandboxes().length, 1);
	d.opts.isolation = 'idle-stop 5s\nspare 0';
	d.write();
	d.ok(['reload']);
	await waitFor('the idle stop', () => d.sandboxes().length === 0, 120000, 500);
	await d.says(/sandbox\.idle user="ann"/);
	const before = sockets.length;
	await waitFor('the window to try', () => sockets.length > before + 1, 60000);
	await sleep(1000);
	assert.deepEqual(d.sandboxes(), [], 'nothing was started for it');

	// Whoever comes back to it has it all again.
	d.opts.isolation = 'idle-stop 1h\nspare 0';
	d.write();
	d.ok(['reload']);
	await once('the return', () => page.keyboard.press('Shift'));
	await waitFor('the sandbox', () => d.sandboxes().length === 1, 90000, 500);
	await page.locator('.monaco-dialog-box').filter({ hasText: 'reload the window' }).getByText('Reload Window').click({ timeout: 90000 });
	await page.waitForSelector('div.monaco-workbench', { timeout: 60000 });
});
