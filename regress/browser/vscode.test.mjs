// A person with a browser: log in, work in VS Code, come back, log out.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { startDaemon, waitFor } from '../system/daemon.mjs';
import { command, newContext, openBrowser, shots, tellShell, terminal, untilDone, visit, workbench } from './person.mjs';

let d;
let browser;

before(async () => {
	// Whether a folder is trusted is asked in a dialog of its own, at a time of its own.
	d = await startDaemon({ users: ['ann', 'bob'], conf: 'app-name "Lab"', ide: 'argument "--disable-workspace-trust"' });
	browser = await openBrowser();
}, { timeout: 180000 });
after(async () => {
	await browser?.close();
	await d?.stop();
});

test('log in, write a file, use the terminal, come back', { timeout: 600000 }, async (t) => {
	const { context, page, complaints } = await visit(d, browser, 'ann');
	t.after(() => page.screenshot({ path: `${shots}/last.png` }).catch(() => {}));
	await page.screenshot({ path: `${shots}/portal.png` });
	assert.match(await page.textContent('body'), /ann/);
	await workbench(page, `${d.origin}/ide/?folder=/home/ann/workspaces`);
	const editor = page.locator('.editor-container .monaco-editor').first();
	await command(page, 'File: New Untitled Text File', (timeout) => editor.locator('.view-lines').waitFor({ timeout }));
	const text = 'written in the browser';
	await untilDone(page, async (timeout) => {
		await editor.click({ timeout });
		await page.keyboard.press('Control+A');
		await page.keyboard.type(text);
		await waitFor('the text', async () => (await editor.locator('.view-lines').innerText()).replaceAll('\u00a0', ' ').trim() === text, timeout);
	});
	const file = `${d.home('ann')}/workspaces/note.txt`;
	const saved = () => fs.existsSync(file) && fs.readFileSync(file, 'utf8') === text;
	// The dialog puts a name of its own there once it has read the folder, at a time
	// of its own: one who is too early tries again.
	await untilDone(page, async (timeout) => {
		if (saved()) return;
		await editor.click({ timeout });
		await page.keyboard.press('Control+S');
		const name = page.locator('.quick-input-widget input').first();
		await name.waitFor({ state: 'visible', timeout });
		await waitFor('the folder', async () => /\/workspaces\//.test(await name.inputValue({ timeout })), timeout);
		await page.waitForTimeout(1000);
		await name.fill('/home/ann/workspaces/note.txt', { timeout });
		await page.waitForTimeout(500);
		await page.keyboard.press('Enter');
		await waitFor('the file', saved, timeout);
	});

	await terminal(page);
	const who = `${d.home('ann')}/workspaces/who.txt`;
	const out = await tellShell(page, '(id; hostname; ls /home) > /home/ann/workspaces/who.txt', 'the terminal', () => {
		const t = fs.existsSync(who) ? fs.readFileSync(who, 'utf8') : '';
		return /\nann\nann\n$/.test(t) ? t : null;
	});
	assert.match(out, /^uid=\d+\(ann\) gid=\d+\(ann\)/);
	await page.keyboard.type('id; hostname; ls /\n', { delay: 5 });
	await page.waitForTimeout(1500);
	await page.screenshot({ path: `${shots}/vscode.png` });

	await page.goto(`${d.origin}/ide/`);
	await page.waitForSelector('div.monaco-workbench');
	assert.match(page.url(), /folder=\/home\/ann\/workspaces/, 'the folder is remembered');
	await page.waitForSelector('.explorer-folders-view >> text=note.txt');
	assert.deepEqual(complaints, []);

	const bob = await visit(d, browser, 'bob');
	await workbench(bob.page, `${d.origin}/ide/?folder=/home/bob`);
	await bob.page.waitForTimeout(1000);
	assert.equal(await bob.page.locator('text=note.txt').count(), 0);
	assert.equal(d.sandboxes().length, 2);
	const peek = d.ctl(['sandbox', 'exec', 'bob', '--', 'cat', '/home/ann/workspaces/note.txt']);
	assert.notEqual(peek.status, 0);
	await bob.context.close();

	// It is called what the site is called, and leads out as the start page does.
	await waitFor('the title', async () => / Lab$/.test(await page.title()));
	await command(page, 'Sign out of code-server', (timeout) => page.waitForURL(`${d.origin}/login`, { timeout: 3 * timeout }));
	await page.goto(`${d.origin}/ide/`);
	await page.waitForSelector('#username');
	await context.close();
});

test('a wrong password says so, and keeps the name', async () => {
	const context = await newContext(browser);
	const page = await context.newPage();
	await page.goto(`${d.origin}/login`);
	await page.fill('#username', 'ann');
	await page.fill('input[name=password]', 'wrong');
	await page.click('button[type=submit], input[type=submit]');
	await page.waitForSelector('.error, [role=alert]');
	assert.equal(await page.inputValue('#username'), 'ann');
	assert.equal(await page.inputValue('input[name=password]'), '');
	await context.close();
});
