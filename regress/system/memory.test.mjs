// Memory of sandboxes: who takes it is shown, running out of it is told before
// the kernel acts, and one process goes rather than the session.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import { startDaemon, freePort, obj, waitFor } from './daemon.mjs';

const MEMORY = 256;
let d, port;

// Takes so many MB at once, then so many each so often, and keeps them.
const hog = `import sys, time
def take(mb):
    b = bytearray(mb << 20)
    for i in range(0, len(b), 4096): b[i] = 1
    return b
kept = [take(int(sys.argv[1]))]
print('ready', flush=True)
while True:
    time.sleep(float(sys.argv[3]))
    kept.append(take(int(sys.argv[2])))
`;

function start(user, mb, more, every) {
	const c = spawn(`${obj}/idectl`, ['-s', `${d.runtime}/ided.sock`, 'sandbox', 'exec', user, '--',
		'python3', `/home/${user}/data/hog.py`, String(mb), String(more), String(every)],
	{ stdio: ['ignore', 'pipe', 'pipe'] });
	let out = '';
	c.stdout.on('data', (s) => { out += s; });
	c.stderr.on('data', (s) => { out += s; });
	return { c, ready: () => waitFor('the program', () => /ready/.test(out), 20000),
		status: new Promise((r) => c.on('close', r)), out: () => out };
}
const show = (user) => JSON.parse(d.ok(['-j', 'sandbox', 'show', user]));
const trail = (...of) => d.ok(['-j', 'audit', 'query', '-n', '1000', '-e', 'sandbox.memory', ...of.flatMap((u) => ['-u', u])]).split('\n')
	.filter(Boolean).map((l) => JSON.parse(l)).filter((r) => r.seq);
const counts = () => JSON.parse(d.ok(['-j', 'status']));
const notes = (user, event) => (show(user).notes || []).filter((n) => n.event === event);

const metric = async (event) => {
	const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
	return Number(new RegExp(`^ided_memory_events_total\\{event="${event}"\\} (\\d+)$`, 'm').exec(text)?.[1]);
};

before(async () => {
	port = await freePort();
	d = await startDaemon({ users: ['ann', 'bob', 'eve'], conf: `metrics on 127.0.0.1 port ${port}\naudit { store }`,
		isolation: `memory ${MEMORY}M\n\tmemory-warn 50% critical 75% every 1s` });
	d.addUser('root1', 'admin');
	for (const user of ['ann', 'bob', 'eve']) {
		d.ok(['sandbox', 'exec', user, '--', 'true']);
		fs.writeFileSync(`${d.home(user)}/data/hog.py`, hog, { mode: 0o644 });
		const { uid } = show(user);
		fs.chownSync(`${d.home(user)}/data/hog.py`, uid, uid);
	}
	assert.ok(show('ann').memory_max > 0, 'there is a control group for memory on this machine');
});
after(() => d?.stop());

test('the largest processes are shown, with kind and size', async () => {
	const p = start('ann', 60, 0, 3600);
	await p.ready();
	// It may have been looked at last while it still grew.
	const row = await waitFor('the process, of its size', () => show('ann').largest?.find((x) => /^python3/.test(x.name) && x.memory > 60 << 20));
	assert.equal(row.kind, 'command');
	assert.ok(row.memory < 100 << 20, `${row.memory}`);
	assert.ok(row.pid > 1);
	const text = d.ok(['sandbox', 'show', 'ann']);
	assert.match(text, /\nlargest\nname +kind +pid +memory +grown *\npython3/);
	p.c.kill('SIGKILL');
	d.ok(['sandbox', 'exec', 'ann', '--', 'pkill', 'python3']);
});

test('VS Code and what it starts are told apart', async () => {
	const cookie = await d.login('bob');
	const r = await d.request('GET', '/ide/version', { headers: { cookie } });
	assert.equal(r.status, 200);
	const server = await waitFor('the server', () => show('bob').largest?.find((x) => x.kind === 'server'), 20000);
	assert.equal(server.name, 'VS Code server');
	assert.ok(server.memory > 10 << 20);
	// Command lines as VS Code's own are: a language server has its extension's name.
	const { uid } = show('bob'), tool = `${d.home('bob')}/extensions/acme.tool-1.2`;
	fs.mkdirSync(tool, { mode: 0o755 });
	fs.writeFileSync(`${tool}/server.py`, hog, { mode: 0o644 });
	fs.chownSync(tool, uid, uid);
	const p = spawn(`${obj}/idectl`, ['-s', `${d.runtime}/ided.sock`, 'sandbox', 'exec', 'bob', '--', 'sh', '-c',
		'python3 ~/extensions/acme.tool-1.2/server.py 70 0 3600 & sh -c "sleep 3600; :" --type=ptyHost & wait', '--type=extensionHost'],
	{ stdio: ['ignore', 'pipe', 'pipe'] });
	const row = await waitFor('the language server', () => show('bob').largest?.find((x) => x.kind === 'language server' && x.memory > 60 << 20), 20000);
	assert.equal(row.name, 'acme.tool-1.2');
	const kinds = show('bob').largest.map((x) => `${x.kind}: ${x.name}`);
	for (const k of ['extension host: extension host', 'terminal host: terminal host', 'terminal: sleep']) assert.ok(kinds.includes(k), `${k} in ${kinds}`);
	p.kill('SIGKILL');
	d.ok(['sandbox', 'stop', 'bob']);
});

test('at the first mark it is told, to the log, idectl, the portal and the API; nothing is ended', async () => {
	const p = start('ann', 140, 0, 3600);
	await p.ready();
	await waitFor('the note', () => notes('ann', 'warning').length > 0);
	assert.match(notes('ann', 'warning')[0].text, /^5\d% of the memory is used; most of it by python3\S* \(command, process \d+, 1\d\dM\)$/);
	const [record] = trail('ann').filter((r) => r.detail.event === 'warning');
	assert.match(record.detail.process, /^python3/);
	assert.equal(Number(record.detail.max), 256 << 20);
	assert.equal(record.detail.text, notes('ann', 'warning')[0].text);
	assert.ok(counts().memory_warned >= 1);
	await waitFor('its line', () => /sandbox\.memory user="ann" uid=\d+ event="warning" used=\d+ max=268435456 process="python3/.test(d.log));
	const cookie = await d.login('ann');
	const page = await d.request('GET', '/', { headers: { cookie } });
	assert.match(page.body, /class="notice"[^>]*>Memory, [^<]*: 5\d% of the memory is used/);
	const api = await d.request('GET', '/api/sessions', { headers: { cookie, accept: 'application/json' } });
	assert.equal(api.json.data.environment.notes[0].event, 'warning');
	assert.match(api.json.data.environment.largest[0].name, /^python3/);
	assert.equal(p.c.exitCode, null, 'it runs on');
	assert.equal(notes('ann', 'ended').length, 0);
	// Another user hears nothing of it.
	assert.deepEqual(show('eve').notes ?? [], []);
	p.c.kill('SIGKILL');
	d.ok(['sandbox', 'exec', 'ann', '--', 'pkill', 'python3']);
});

test('at the second mark the largest is ended, with time to save, and the session stays', async () => {
	const { pid } = show('eve');
	const small = start('eve', 10, 0, 3600);
	await small.ready();
	const p = start('eve', 100, 20, 0.3);
	assert.equal(await p.status, 143, 'by TERM, and not by the kernel');
	await waitFor('the note', () => notes('eve', 'ended').length > 0);
	assert.match(notes('eve', 'ended')[0].text, /^python3\S* \(command, process \d+, \d+M\) was ended/);
	assert.equal(show('eve').pid, pid);
	assert.equal(small.c.exitCode, null, 'the other program runs on');
	// One record each, and as many as are counted.
	const of = (event) => trail('eve').filter((r) => r.detail.event === event);
	assert.deepEqual(of('ended').map((r) => r.detail.text), notes('eve', 'ended').map((n) => n.text));
	assert.equal(of('critical').length, 1);
	assert.equal(counts().memory_ended, of('ended').length);
	assert.equal(counts().memory_critical, 1);
	await waitFor('the metrics', async () => await metric('ended') === of('ended').length && await metric('critical') === 1);
	const cookie = await d.login('root1');
	const api = await d.request('GET', '/api/admin/stats', { headers: { cookie, accept: 'application/json' } });
	assert.equal(api.json.data.memoryEnded, of('ended').length, api.body);
	assert.equal(api.json.data.memoryCritical, 1);
	small.c.kill('SIGKILL');
	d.ok(['sandbox', 'exec', 'eve', '--', 'pkill', 'python3']);
});

test('growth without an end is told as a likely leak, and which process it is', async () => {
	d.ok(['sandbox', 'stop', 'ann']);
	d.ok(['sandbox', 'exec', 'ann', '--', 'true']);
	const p = start('ann', 10, 3, 0.5);
	await p.ready();
	await waitFor('the note', () => notes('ann', 'leak').length > 0, 40000, 500);
	assert.match(notes('ann', 'leak')[0].text, /^memory grows by \d+M a minute, \d+% is used: a leak, likely in python3/);
	assert.equal(notes('ann', 'critical').length, 0, 'before it is out of memory');
	assert.match(trail('ann').find((r) => r.detail.event === 'leak').detail.process, /^python3/);
	// On a busy machine what grows elsewhere may look like one as well.
	assert.equal(counts().memory_leaks, trail().filter((r) => r.detail.event === 'leak').length);
	p.c.kill('SIGKILL');
});
