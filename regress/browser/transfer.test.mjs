// Files by the explorer's own menu: up from the person's machine and down again, whole.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import { startDaemon, waitFor } from '../system/daemon.mjs';
import { openBrowser, shots, visit, workbench } from './person.mjs';

let d, browser;
before(async () => {
	d = await startDaemon({ users: ['ann'], ide: 'argument "--disable-workspace-trust"' });
	browser = await openBrowser();
}, { timeout: 90000 });
after(async () => {
	await browser?.close();
	await d?.stop();
});

// A context menu goes away when the workbench moves the focus while it still loads, and
// takes no click in its first tenth of a second: then it stays.
async function choose(page, target, label) {
	const item = page.locator('.monaco-menu .action-label', { hasText: label }).first();
	for (let tries = 0; ; tries++) {
		try {
			await target.click({ button: 'right', timeout: 10000 });
			await item.hover({ timeout: 5000 });
			await page.waitForTimeout(500);
			await item.click({ timeout: 5000 });
			await item.waitFor({ state: 'detached', timeout: 3000 });
			return;
		} catch (e) {
			if (tries === 3) throw e;
			await page.keyboard.press('Escape');
		}
	}
}

test('a file goes up, and comes down as it was', { timeout: 150000 }, async (t) => {
	const { context, page } = await visit(d, browser, 'ann');
	t.after(() => page.screenshot({ path: `${shots}/transfer.png` }).catch(() => {}));
	t.after(() => context.close());
	const bytes = crypto.randomBytes(3 << 20);
	d.ok(['sandbox', 'exec', 'ann', '--', 'mkdir', '-p', '/home/ann/workspaces/inbox']);
	await workbench(page, `${d.origin}/ide/?folder=/home/ann/workspaces`);
	const row = (name) => page.locator('.explorer-folders-view .monaco-list-row', { hasText: name }).first();

	const chooser = page.waitForEvent('filechooser', { timeout: 60000 });
	await choose(page, row('inbox'), 'Upload...');
	await (await chooser).setFiles({ name: 'data.bin', mimeType: 'application/octet-stream', buffer: bytes });
	const there = `${d.home('ann')}/workspaces/inbox/data.bin`;
	await waitFor('the upload', () => fs.existsSync(there) && fs.statSync(there).size === bytes.length, 60000, 200);
	assert.ok(fs.readFileSync(there).equals(bytes));

	const download = page.waitForEvent('download', { timeout: 60000 });
	await choose(page, row('data.bin'), 'Download...');
	assert.ok(fs.readFileSync(await (await download).path()).equals(bytes));
});
