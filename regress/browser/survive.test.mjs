// VS Code in a browser while ided is killed, while it is upgraded, and while it is
// stopped as it should be and started again: it connects again by itself, and the
// terminal is the one it was.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { startManaged, sleep, waitFor } from '../system/daemon.mjs';
import { openBrowser, shots, tellShell, terminal, visit, workbench } from './person.mjs';

let m, d, browser;

before(async () => {
	m = await startManaged({ users: ['ann'], ide: 'argument "--disable-workspace-trust"' });
	d = m.d;
	browser = await openBrowser();
}, { timeout: 180000 });
after(async () => {
	await browser?.close();
	// The last ided is the manager's no more.
	if (d?.child) await d.stop({ keep: true });
	await m?.stop();
});

const masterPid = () => JSON.parse(d.ok(['-j', 'status'])).pid;

test('a terminal outlives ided, killed, upgraded and stopped', { timeout: 480000 }, async (t) => {
	const { page } = await visit(d, browser, 'ann');
	t.after(() => page.screenshot({ path: `${shots}/survive.png` }).catch(() => {}));
	await workbench(page, `${d.origin}/ide/?folder=/home/ann/workspaces`);
	await terminal(page);
	const home = `${d.home('ann')}/workspaces`;
	// What is typed while nobody listens is typed again, and says the same.
	const say = (file) => waitFor(`${file} by the terminal`, async () => {
		if (fs.existsSync(`${home}/${file}`)) return fs.readFileSync(`${home}/${file}`, 'utf8').trim() || null;
		await page.locator('.terminal-wrapper.active .xterm-helper-textarea').focus().catch(() => {});
		await page.keyboard.type(`echo $$ $KEPT > ${home}/${file}\n`.replaceAll(home, '/home/ann/workspaces'), { delay: 5 });
		await sleep(1500);
		return null;
	}, 90000, 200);
	await tellShell(page, 'KEPT=still-here; echo $KEPT > kept', 'the variable', () => fs.existsSync(`${home}/kept`) && fs.readFileSync(`${home}/kept`, 'utf8') === 'still-here\n');
	const first = await say('first');
	assert.match(first, /^\d+ still-here$/);
	const [box] = d.sandboxes();

	const old = masterPid();
	const ready = m.count('ready');
	process.kill(old, 'SIGKILL');
	await waitFor('ided to be back', () => m.count('ready') > ready);
	assert.equal(await say('second'), first, 'the very same shell');

	d.ok(['upgrade', '--', '-f', d.conf]);
	await waitFor('the new ided', () => m.count('ready') > ready + 1);
	assert.equal(await say('third'), first, 'the very same shell');
	assert.equal(d.sandboxes()[0].pid, box.pid);

	d.ok(['stop']);
	await waitFor('its end', () => m.lines.some((l) => /^ended \d+ 0$/.test(l)));
	await m.gone; // it has the sockets still
	await d.start();
	assert.equal(await say('fourth'), first, 'the very same shell');
	assert.equal(d.sandboxes()[0].pid, box.pid);
	assert.equal(new URL(page.url()).pathname, '/ide/', 'nobody had to reload or log in');
});
