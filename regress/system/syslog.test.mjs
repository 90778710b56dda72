// The audit trail to a syslog service: each record comes there as it is in the trail;
// a service that goes away holds nobody up, and misses nothing when it is back soon.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import { startDaemon, waitFor } from './daemon.mjs';

// node speaks no datagrams of this kind.
const program = `
import os, socket, sys
path = sys.argv[1]
if os.path.exists(path): os.unlink(path)
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(path)
print("ready", flush=True)
while True: print(s.recv(65536).decode(), flush=True)
`;

let d;
let dir;
let service;
const records = [];	// that came, in order, with what stood before them

async function serve() {
	service = spawn('python3', ['-c', program, `${dir}/log`], { stdio: ['ignore', 'pipe', 'inherit'] });
	let buf = '';
	let ready = false;
	service.stdout.setEncoding('utf8');
	service.stdout.on('data', (s) => {
		const lines = (buf + s).split('\n');
		buf = lines.pop();
		for (const l of lines) {
			const m = /^<(\d+)>ided-audit\[\d+\]: (\{.*\})$/.exec(l);
			if (m) records.push({ priority: Number(m[1]), ...JSON.parse(m[2]) });
			else if (l === 'ready') ready = true;
			else records.push({ odd: l });
		}
	});
	await waitFor('the service', () => ready);
}

async function leave() {
	const gone = new Promise((r) => service.on('exit', r));
	service.kill();
	await gone;
}

before(async () => {
	dir = fs.mkdtempSync(`${os.tmpdir()}/ided-syslog-`);
	await serve();
	d = await startDaemon({ users: ['ann'], conf: `audit { store\n\tsyslog facility local3 to "${dir}/log" }` });
});
after(async () => {
	await d?.stop();
	service?.kill();
	if (dir) fs.rmSync(dir, { recursive: true });
});

const trail = () => d.ok(['-j', 'audit', 'query', '-n', '1000']).split('\n').filter(Boolean)
	.map((l) => JSON.parse(l)).filter((r) => r.seq).reverse();

test('each record is there, as it is in the trail', async () => {
	await d.login('ann');
	const all = trail();
	await waitFor('the last of them', () => records.some((r) => r.seq === all.at(-1).seq));
	for (const r of all) {
		const { priority, ...there } = records.find((x) => x.seq === r.seq) ?? {};
		assert.equal(there.hash, r.hash, `record ${r.seq}`);
		assert.equal(there.event, r.event);
		assert.equal(priority >> 3, 19);
	}
	const of = (event) => records.find((r) => r.event === event)?.priority & 7;
	assert.equal(of('login.ok'), 6);
	assert.equal(of('user.added'), 5);
	assert.ok(!records.some((r) => r.odd), JSON.stringify(records.find((r) => r.odd)));
});

test('a service that is away holds nobody up, and gets what was queued', async () => {
	await leave();
	const before = Date.now();
	for (let i = 0; i < 3; i++) {
		d.ok(['user', 'disable', 'ann']);
		d.ok(['user', 'enable', 'ann']);
	}
	const last = trail().at(-1).seq;
	assert.ok(Date.now() - before < 30000);
	await serve();
	await waitFor('what it missed', () => records.some((r) => r.seq >= last));
	const numbers = records.map((r) => r.seq);
	assert.deepEqual(numbers, numbers.map((_, i) => numbers[0] + i));
	assert.ok(!trail().some((r) => r.event === 'audit.syslog'), 'nothing was lost');
});

test('a reload ends it, and begins it again', async () => {
	d.write('audit { store }');
	d.ok(['reload']);
	d.ok(['user', 'disable', 'ann']);
	d.write(`audit { store\n\tsyslog to "${dir}/log" }`);
	d.ok(['reload']);
	d.ok(['user', 'enable', 'ann']);
	const all = trail();
	const last = (event) => all.filter((r) => r.event === event).at(-1).seq;
	await waitFor('a record', () => records.some((r) => r.seq === last('user.enabled')));
	assert.equal(records.find((r) => r.seq === last('user.enabled')).priority >> 3, 10);
	assert.ok(!records.some((r) => r.seq === last('user.disabled')), 'one came that was not asked for');
	assert.equal(d.ctl(['audit', 'verify']).status, 0);
});
