// The command line of VS Code: from its own terminal, from any other shell of the
// session, and from the host.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import { startDaemon, waitFor } from '../system/daemon.mjs';
import { makeExtension } from '../system/extension.mjs';
import { command, openBrowser, shots, tellShell, terminal, untilDone, visit, workbench } from './person.mjs';

let d;
let browser;
let page;
let context;

before(async () => {
	d = await startDaemon({ users: ['ann', 'bob'], ide: 'argument "--disable-workspace-trust"\n\textension deny "regress.denied"' });
	browser = await openBrowser();
	({ context, page } = await visit(d, browser, 'ann'));
}, { timeout: 180000 });
after(async () => {
	await page?.screenshot({ path: `${shots}/shell.png` }).catch(() => {});
	await browser?.close();
	await d?.stop();
});

const tab = (name) => page.locator('.tabs-container .tab').filter({ hasText: name });
// Its cross is there while the mouse is, and a tab may be drawn anew meanwhile.
const close = (name) => untilDone(page, async (timeout) => {
	if (await tab(name).count() === 0) return;
	await tab(name).hover({ timeout });
	await tab(name).locator('.action-label').click({ timeout });
	await tab(name).waitFor({ state: 'detached', timeout });
});
const inside = (...command) => d.ctl(['sandbox', 'exec', 'ann', '--', ...command]);

test('no window is open: a clear word', { timeout: 60000 }, () => {
	for (const r of [d.ctl(['open', '-u', 'ann', 'note.txt']), inside('code', 'note.txt')]) {
		assert.equal(r.status, 1);
		assert.match(r.err, /no window of VS Code is open/);
	}
	assert.match(inside('code', '--version').out, /^1\.\d+\.\d+\n[0-9a-f]{40}\n/);
});

test('in its terminal: code FILE, code --diff, code --wait, and code-server as well', { timeout: 300000 }, async () => {
	for (const n of ['one', 'two', 'three', 'four', 'five', 'six']) inside('sh', '-c', `echo ${n} > workspaces/${n}.txt`);
	await workbench(page, `${d.origin}/ide/?folder=/home/ann/workspaces`);
	await terminal(page);
	const opens = (line, name) => tellShell(page, line, line, () => tab(name).isVisible());
	await opens('code one.txt', 'one.txt');
	await terminal(page);
	await opens('code-server two.txt', 'two.txt');
	await terminal(page);
	await opens('code --diff one.txt two.txt', /one\.txt.*two\.txt/);
	await terminal(page);
	const after = `${d.home('ann')}/workspaces/after`;
	await opens('code --wait six.txt && touch after', 'six.txt');
	assert.ok(!fs.existsSync(after), 'it waits');
	await close('six.txt');
	await waitFor('what comes after it', () => fs.existsSync(after), 30000);
});

test('from another shell of the session, and from the host', { timeout: 240000 }, async () => {
	assert.deepEqual(inside('code', 'workspaces/three.txt'), { status: 0, out: '', err: '' });
	await tab('three.txt').waitFor();
	d.ok(['open', '-u', 'ann', 'workspaces/four.txt']);
	await tab('four.txt').waitFor();
	// There is one sandbox, so it need not be said whose.
	const child = spawn(`${d.obj}/idectl`, ['-s', `${d.runtime}/ided.sock`, 'open', '-w', 'workspaces/five.txt'], { stdio: 'ignore' });
	const ended = new Promise((r) => child.on('exit', r));
	await tab('five.txt').waitFor();
	assert.equal(child.exitCode, null, 'it waits');
	await close('five.txt');
	assert.equal(await ended, 0);
});

test('extensions: installed from a package of the host, listed, taken away', { timeout: 240000 }, async () => {
	const vsix = `${d.dir}/hello.vsix`;
	makeExtension(vsix, 'regress.hello');
	const r = d.ctl(['ext', 'install', '-u', 'bob', vsix]);
	assert.equal(r.status, 0, r.err);
	assert.match(d.ok(['ext', 'list', '-u', 'bob']), /^regress\.hello@1\.2\.3$/m);
	assert.ok(!/hello/.test(d.ok(['ext', 'list', '-u', 'ann'])), "bob's only");
	d.ok(['ext', 'uninstall', '-u', 'bob', 'regress.hello']);
	assert.ok(!/hello/.test(d.ok(['ext', 'list', '-u', 'bob'])));
	assert.equal(d.ctl(['ext', 'install', '-u', 'bob', `${d.dir}/none.vsix`]).status, 1);
	// By the user, beside an open window, which has it at once.
	fs.copyFileSync(vsix, `${d.home('ann')}/workspaces/hello.vsix`);
	const own = inside('code', '--install-extension', 'workspaces/hello.vsix');
	assert.equal(own.status, 0, own.err);
	assert.match(inside('code', '--list-extensions', '--show-versions').out, /^regress\.hello@1\.2\.3$/m);
	await command(page, 'Say hello');
	inside('code', '--uninstall-extension', 'regress.hello');
	assert.doesNotMatch(inside('code', '--list-extensions').out, /hello/);
	// Now there are two.
	const which = d.ctl(['open', 'workspaces/one.txt']);
	assert.equal(which.status, 1);
	assert.match(which.err, /several sandboxes run: say with -u/);
});

// It lies there because somebody went past the rules, or because they came later.
test('extensions: one that is denied is not started, whatever the settings say', { timeout: 240000 }, async () => {
	inside('sh', '-c', `mkdir -p data/data/User && echo '{"extensions.allowed":{"*":true,"regress.denied":true}}' >data/data/User/settings.json`);
	makeExtension(`${d.home('ann')}/denied.vsix`, 'regress.denied', 'Say denied');
	makeExtension(`${d.home('ann')}/hello.vsix`, 'regress.hello');
	for (const command of [['env', '-u', 'IDED_EXTENSIONS', 'code', '--install-extension', 'denied.vsix'], ['code', '--install-extension', 'hello.vsix']]) {
		const r = inside(...command);
		assert.equal(r.status, 0, r.err);
	}
	await workbench(page, `${d.origin}/ide/?folder=/home/ann/workspaces`);
	// The palette has both or one of them; it goes away while the workbench still loads.
	const rows = page.locator('.quick-input-list .monaco-list-row');
	const offered = await waitFor('the command of the one that is allowed', async () => {
		await page.keyboard.press('F1');
		const input = page.locator('.quick-input-widget input').first();
		await input.fill('>Say ', { timeout: 5000 }).catch(() => {});
		await rows.filter({ hasText: 'Say hello' }).first().waitFor({ timeout: 5000 }).catch(() => {});
		const texts = await rows.allTextContents();
		await page.keyboard.press('Escape');
		return texts.some((t) => /Say hello/.test(t)) && texts;
	}, 60000);
	assert.deepEqual(offered.filter((t) => /Say denied/.test(t)), []);
	inside('code', '--uninstall-extension', 'regress.hello');
	inside('rm', 'data/data/User/settings.json');
});

test('a window that is closed is forgotten', { timeout: 90000 }, async () => {
	await context.close();
	context = page = null;
	// VS Code itself keeps what ran in it for a while.
	d.ok(['sandbox', 'stop', 'ann']);
	const r = await waitFor('no window', () => {
		const o = d.ctl(['open', '-u', 'ann', 'workspaces/one.txt']);
		return o.status === 1 ? o : null;
	}, 30000);
	assert.match(r.err, /no window of VS Code is open/);
	assert.ok(fs.existsSync(d.dir));
});
