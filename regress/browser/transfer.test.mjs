// Files by the explorer's own menu: up from the person's machine and down again, whole.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import { startDaemon, waitFor } from '../system/daemon.mjs';
import { openBrowser, shots, untilDone, visit, workbench } from './person.mjs';

let d, browser;
before(async () => {
	d = await startDaemon({ users: ['ann'], ide: 'argument "--disable-workspace-trust"' });
	browser = await openBrowser();
}, { timeout: 180000 });
after(async () => {
	await browser?.close();
	await d?.stop();
});

// A context menu goes away when the workbench moves the focus while it still loads, and
// takes no click in its first tenth of a second: then it stays.
async function choose(page, target, label, seen) {
	const item = page.locator('.monaco-menu .action-label', { hasText: label }).first();
	await untilDone(page, async (timeout) => {
		await target.click({ button: 'right', timeout });
		await item.hover({ timeout });
		await page.waitForTimeout(500);
		await item.click({ timeout });
		await item.waitFor({ state: 'detached', timeout });
		await seen(3 * timeout);
	});
}

test('a file goes up, and comes down as it was', { timeout: 300000 }, async (t) => {
	const { context, page } = await visit(d, browser, 'ann');
	t.after(() => page.screenshot({ path: `${shots}/transfer.png` }).catch(() => {}));
	t.after(() => context.close());
	const bytes = crypto.randomBytes(3 << 20);
	d.ok(['sandbox', 'exec', 'ann', '--', 'mkdir', '-p', '/home/ann/workspaces/inbox']);
	await workbench(page, `${d.origin}/ide/?folder=/home/ann/workspaces`);
	const row = (name) => page.locator('.explorer-folders-view .monaco-list-row', { hasText: name }).first();

	// Whichever comes of a try.
	let chooser, download;
	page.on('filechooser', (c) => { chooser = c; });
	page.on('download', (f) => { download = f; });
	await choose(page, row('inbox'), 'Upload...', (ms) => waitFor('a choice of files', () => chooser, ms));
	await chooser.setFiles({ name: 'data.bin', mimeType: 'application/octet-stream', buffer: bytes });
	const there = `${d.home('ann')}/workspaces/inbox/data.bin`;
	await waitFor('the upload', () => fs.existsSync(there) && fs.statSync(there).size === bytes.length, 60000, 200);
	assert.ok(fs.readFileSync(there).equals(bytes));

	await choose(page, row('data.bin'), 'Download...', (ms) => waitFor('a download', () => download, ms));
	assert.ok(fs.readFileSync(await download.path()).equals(bytes));
});
