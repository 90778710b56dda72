// A person with a browser: log in, work in VS Code, come back, log out.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { chromium } from 'playwright-core';
import { startDaemon, password, top, waitFor } from '../system/daemon.mjs';

let d;
let browser;
const shots = `${top}/regress/artefacts`;
const args = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
	'--disable-background-networking', '--disable-component-update', '--disable-sync'];

before(async () => {
	fs.mkdirSync(shots, { recursive: true });
	// Whether a folder is trusted is asked in a dialog of its own, at a time of its own.
	d = await startDaemon({ users: ['ann', 'bob'], ide: 'argument "--disable-workspace-trust"' });
	browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args });
}, { timeout: 90000 });
after(async () => {
	await browser?.close();
	await d?.stop();
});

async function visit(user) {
	const context = await browser.newContext({ ignoreHTTPSErrors: true,
		viewport: { width: 1280, height: 800 } });
	const page = await context.newPage();
	const complaints = [];
	page.on('console', (m) => {
		// VS Code complains of its own accord; of ours nothing may be wrong.
		if (m.type() === 'error' && !page.url().startsWith(`${d.origin}/ide/`) && !/ SSL /.test(m.text()))
			complaints.push(m.text());
	});
	await page.goto(`${d.origin}/`);
	await page.fill('#username', user);
	await page.fill('input[name=password]', password);
	await page.click('button[type=submit], input[type=submit]');
	await page.waitForURL(`${d.origin}/`);
	return { context, page, complaints };
}

async function workbench(page, url) {
	await page.goto(url);
	await page.waitForSelector('div.monaco-workbench', { timeout: 60000 });
	await page.waitForSelector('.explorer-folders-view, .explorer-viewlet', { timeout: 60000 });
}

// The palette's command, as a person would: open it again if it went away, as it
// does when the workbench moves the focus while it still loads.
async function command(page, name) {
	for (let tries = 0; ; tries++) {
		try {
			await page.keyboard.press('F1');
			const input = page.locator('.quick-input-widget input').first();
			await input.waitFor({ state: 'visible', timeout: 5000 });
			await input.fill(`>${name}`);
			await page.locator('.quick-input-list .monaco-list-row').filter({ hasText: name }).first()
				.waitFor({ timeout: 5000 });
			await page.keyboard.press('Enter');
			return;
		} catch (e) {
			await page.screenshot({ path: `${shots}/palette-failed.png` });
			if (tries === 3) throw e;
			await page.keyboard.press('Escape');
		}
	}
}

test('log in, write a file, use the terminal, come back', { timeout: 150000 }, async (t) => {
	const { context, page, complaints } = await visit('ann');
	t.after(() => page.screenshot({ path: `${shots}/last.png` }).catch(() => {}));
	await page.screenshot({ path: `${shots}/portal.png` });
	assert.match(await page.textContent('body'), /ann/);
	await workbench(page, `${d.origin}/ide/?folder=/home/ann/workspaces`);
	await command(page, 'File: New Untitled Text File');
	await page.waitForSelector('.monaco-editor .view-lines');
	await page.locator('.editor-container .monaco-editor').first().click();
	await page.keyboard.type('written in the browser');
	await page.keyboard.press('Control+S');
	const name = page.locator('.quick-input-widget input');
	await name.waitFor({ state: 'visible' });
	// The dialog puts a name of its own there once it has read the folder.
	await page.locator('.quick-input-widget >> text=/workspaces/').first().waitFor({ timeout: 5000 }).catch(() => {});
	await page.waitForTimeout(1500);
	await name.fill('/home/ann/workspaces/note.txt');
	await page.waitForTimeout(500);
	await page.keyboard.press('Enter');
	const file = `${d.data}/home/ann/workspaces/note.txt`;
	await waitFor('the file', () => fs.existsSync(file) && fs.readFileSync(file, 'utf8') === 'written in the browser');

	await command(page, 'Terminal: Create New Terminal');
	await page.waitForSelector('.terminal-wrapper.active .xterm-helper-textarea', { state: 'attached', timeout: 30000 });
	await page.locator('.terminal-wrapper.active .xterm-helper-textarea').focus();
	await page.keyboard.type('(id; hostname; ls /home) > /home/ann/workspaces/who.txt\n', { delay: 5 });
	const who = `${d.data}/home/ann/workspaces/who.txt`;
	const out = await waitFor('the terminal', () => {
		const t = fs.existsSync(who) ? fs.readFileSync(who, 'utf8') : '';
		return /\nann\nann\n$/.test(t) ? t : null;
	}, 30000);
	assert.match(out, /^uid=\d+\(ann\) gid=\d+\(ann\)/);
	await page.keyboard.type('id; hostname; ls /\n', { delay: 5 });
	await page.waitForTimeout(1500);
	await page.screenshot({ path: `${shots}/vscode.png` });

	await page.goto(`${d.origin}/ide/`);
	await page.waitForSelector('div.monaco-workbench', { timeout: 60000 });
	assert.match(page.url(), /folder=\/home\/ann\/workspaces/, 'the folder is remembered');
	await page.waitForSelector('.explorer-folders-view >> text=note.txt', { timeout: 60000 });
	assert.deepEqual(complaints, []);

	const bob = await visit('bob');
	await workbench(bob.page, `${d.origin}/ide/?folder=/home/bob`);
	await bob.page.waitForTimeout(1000);
	assert.equal(await bob.page.locator('text=note.txt').count(), 0);
	assert.equal(d.sandboxes().length, 2);
	const peek = d.ctl(['sandbox', 'exec', 'bob', '--', 'cat', '/home/ann/workspaces/note.txt']);
	assert.notEqual(peek.status, 0);
	await bob.context.close();

	await page.goto(`${d.origin}/`);
	await page.click('form[action$="logout"] button, form[action$="logout"] input[type=submit]');
	await page.waitForSelector('#username');
	await page.goto(`${d.origin}/ide/`);
	await page.waitForSelector('#username');
	await context.close();
});

test('a wrong password says so, and keeps the name', async () => {
	const context = await browser.newContext({ ignoreHTTPSErrors: true });
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
