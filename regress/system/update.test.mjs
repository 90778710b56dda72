// The newest release: a feed over TLS that the configuration names, and nobody else.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { ended, startDaemon, makeCertificate, freePort, idePath, obj, waitFor } from './daemon.mjs';

const product = fs.readFileSync(`${idePath}/product`, 'utf8');
const current = (/^codeserver=(.*)$/m.exec(product) || /^version=(.*)$/m.exec(product))[1];
const [major, minor, patch] = current.split(/[.-]/).map(Number);
const next = `${major}.${minor + 1}.0`;
const release = (tag, more = {}) => JSON.stringify({ tag_name: tag, name: tag, html_url: 'https://example.com/', ...more });

let d, dir, cookie, port, metrics, feed, proxy, asked = 0;
const tunnels = [], seen = [], open = new Set();

// What the feed says, by its path.
const json = (text) => (req, res) => res.setHeader('content-type', 'application/json').end(text);
const to = (where) => (req, res) => res.writeHead(302, { location: where }).end();
const paths = {
	'/newer': json(release(`v${next}`)),
	'/same': json(release(`v${current}`)),
	'/older': json(release('v1.2.3')),
	'/before': json(release(`${major}.${minor}.${patch}-rc.1`)),
	'/next-before': json(release(`${next}-rc.1`)),
	'/build': json(release(`${current}+more`)),
	'/by-name': json(JSON.stringify({ name: next })),
	'/chunks': (req, res) => { res.write('{"tag_name":'); res.end(`"${next}"}`); },
	'/garbage': json('<html>'),
	'/list': json(`[${release(next)}]`),
	'/twice': json(`{"tag_name":"${next}","tag_name":"9.9.9"}`),
	'/no-version': json(release('latest')),
	'/zeros': json(release('v4.0139.0')),
	'/long': json(release(`1.2.3-${'a'.repeat(100)}`)),
	'/draft': json(release(next, { draft: true })),
	'/large': json(release(next, { body: 'x'.repeat(70000) })),
	'/large-chunks': (req, res) => { for (let i = 0; i < 80; i++) res.write(' '.repeat(1000)); res.end(release(next)); },
	'/endless': (req, res) => { const t = setInterval(() => res.write('x'.repeat(65536)), 1); res.on('close', () => clearInterval(t)); },
	'/missing': (req, res) => res.writeHead(404).end(release(next)),
	'/cut': (req, res) => { res.writeHead(200, { 'content-length': 1000 }); res.write('{'); setTimeout(() => res.destroy(), 20); },
	'/two-lengths': (req, res) => res.socket.end(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n${release(next)}`),
	'/gzip': (req, res) => res.setHeader('content-encoding', 'gzip').end(release(next)),
	'/there': to('/newer'),
	'/there-whole': (req, res) => to(`https://127.0.0.1:${port}/newer`)(req, res),
	'/round': to('/round'),
	'/elsewhere': to('https://example.com/newer'),
	'/plain': (req, res) => to(`http://127.0.0.1:${port}/newer`)(req, res),
	'/silent': () => {},
};

before(async () => {
	dir = fs.mkdtempSync('/tmp/ided-test-feed-');
	makeCertificate(dir, 'feed');
	makeCertificate(dir, 'other');
	feed = https.createServer({ key: fs.readFileSync(`${dir}/feed.key`), cert: fs.readFileSync(`${dir}/feed.crt`) },
		(req, res) => { seen.push(req.headers); (paths[req.url] || paths['/missing'])(req, res); });
	feed.on('connection', (s) => { asked++; open.add(s); s.on('error', () => {}).on('close', () => open.delete(s)); });
	await new Promise((r) => feed.listen(0, '0.0.0.0', r));
	port = feed.address().port;
	proxy = http.createServer();
	proxy.on('connect', (req, s) => {
		tunnels.push(req.url);
		open.add(s.on('error', () => {}));
		if (req.url.startsWith('127.0.0.3:')) return void s.end('HTTP/1.1 403 Forbidden\r\n\r\n');
		const up = net.connect(port, '127.0.0.1', () => { s.write('HTTP/1.1 200 OK\r\n\r\n'); s.pipe(up).pipe(s); }).on('error', () => {});
		s.on('close', () => up.destroy());
	});
	await new Promise((r) => proxy.listen(0, '127.0.0.1', r));
	metrics = await freePort();
	d = await startDaemon({ users: ['ann'], conf: `metrics on 127.0.0.1 port ${metrics}` });
	cookie = await d.login('ann');
});
after(async () => {
	await d?.stop();
	for (const s of open) s.destroy();
	feed?.close();
	proxy?.close();
	fs.rmSync(dir, { recursive: true, force: true });
});

const check = async (path = '/update/check') => {
	const r = await d.request('GET', path, { headers: { cookie } });
	assert.equal(r.status, 200, r.body);
	return r.json;
};
const conf = (url, ca = 'feed') => `update-check "${url}" ca "${dir}/${ca}.crt"`;
const events = () => d.log.match(/update\.(available|none|failed).*/g) || [];

// Another feed is asked at once: what is written about it.
async function ask(url, ca) {
	const had = events().length;
	d.write(`metrics on 127.0.0.1 port ${metrics}\n${conf(url, ca)}`);
	d.ok(['reload']);
	return waitFor(`word of ${url}`, () => events()[had]);
}

test('off, as long as nobody names a feed: nobody is asked', async () => {
	for (const path of ['/update/check', '/update/check?force=true'])
		assert.deepEqual(await check(path).then(({ checked, ...r }) => r), { latest: current, current, isLatest: true });
	assert.equal(asked, 0);
	assert.equal(d.tree().filter((p) => p.name === 'ided-fetch').length, 0);
	assert.ok(!fs.existsSync(`${d.data}/store/update`));
});

// As who looks after the machine sees it.
const state = async () => {
	const s = JSON.parse(d.ok(['-j', 'status']));
	const m = Object.fromEntries([...(await scrape()).matchAll(/^ided_(update_[a-z_]+) (\d+)$/gm)].map((x) => [x[1], Number(x[2])]));
	assert.deepEqual([m.update_available, m.update_failures], [Number(s.update === 'available'), s.update_failures ?? 0]);
	assert.equal(m.update_checked_time_seconds, s.update_checked ?? 0);
	return [s.update, s.update_version, s.update_failures];
};
const scrape = () => new Promise((resolve, reject) => {
	http.get({ host: '127.0.0.1', port: metrics, path: '/metrics', agent: false }, (res) => {
		let out = '';
		res.on('data', (b) => { out += b; });
		res.on('end', () => resolve(out));
	}).on('error', reject);
});

test('what is known of it is in status and in the figures', async () => {
	const seen_ = () => waitFor('auth to be asked', () => state().catch((e) => { if (e.code !== 'ERR_ASSERTION') throw e; return null; }), 20000, 500);
	assert.deepEqual(await seen_(), ['off', undefined, undefined]);
	await ask(`https://127.0.0.1:${port}/newer`);
	assert.deepEqual(await seen_(), ['available', next, 0]);
	await ask(`https://127.0.0.1:${port}/same`);
	assert.deepEqual(await seen_(), ['none', current, 0]);
	await ask(`https://127.0.0.1:${port}/missing`);
	assert.deepEqual(await seen_(), ['unknown', '', 1]);
});

test('what the feed says', async () => {
	for (const [path, latest, event] of [['/newer', next, 'available'], ['/same', current, 'none'], ['/older', '1.2.3', 'none'],
		['/before', `${major}.${minor}.${patch}-rc.1`, 'none'], ['/next-before', `${next}-rc.1`, 'available'],
		['/build', `${current}+more`, 'none'], ['/by-name', next, 'available'], ['/chunks', next, 'available'],
		['/there', next, 'available'], ['/there-whole', next, 'available']]) {
		const from = Date.now() - 2000, had = asked;
		assert.match(await ask(`https://127.0.0.1:${port}${path}`), new RegExp(`^update\\.${event} version="${latest.replace(/[.+]/g, '\\$&')}" current="`), path);
		const r = await check();
		assert.deepEqual([r.latest, r.current, r.isLatest], [latest, current, event === 'none'], path);
		assert.ok(r.checked >= from && r.checked <= Date.now(), path);
		assert.equal(asked, had + 1, `${path}: a redirect takes no connection of its own`);
	}
	assert.match(seen.at(-1)['user-agent'], /^ided\//);
	assert.equal(seen.at(-1).host, `127.0.0.1:${port}`);
	assert.ok(!JSON.stringify(seen).includes('cookie'));
});

test('what is no answer is none: unknown, and nobody is told to update', async () => {
	for (const [path, why] of [['/garbage', /no object of JSON/], ['/list', /no object/], ['/twice', /no object/], ['/no-version', /no version/],
		['/zeros', /no version/], ['/long', /no version/], ['/draft', /a draft/], ['/large', /too large/], ['/large-chunks', /too large/],
		['/endless', /too large/], ['/missing', /answers with 404/], ['/cut', /cut short/], ['/two-lengths', /two lengths/],
		['/gzip', /a coding that nobody asked for/], ['/round', /too many redirects/], ['/elsewhere', /another host/], ['/plain', /another host/]]) {
		const line = await ask(`https://127.0.0.1:${port}${path}`);
		assert.match(line, /^update\.failed/, path);
		assert.match(line, why, path);
		const r = await check();
		assert.deepEqual([r.latest, r.current, r.isLatest], ['unknown', current, true], path);
	}
});

test('who is not who was named is not heard', async () => {
	const had = seen.length;
	assert.match(await ask(`https://127.0.0.1:${port}/newer`, 'other'), /update\.failed.*certificate: self-signed/);
	assert.match(await ask(`https://127.0.0.2:${port}/newer`), /update\.failed.*certificate: IP address mismatch/);
	assert.equal(seen.length, had);
	// The same feed, and the right authority: mended by a reload.
	await ask(`https://127.0.0.1:${port}/same`, 'other');
	assert.match(await ask(`https://127.0.0.1:${port}/same`), /update\.none/);
	assert.match(await ask(`https://localhost:${port}/newer`), /update\.available/);
	assert.match(await ask('https://127.0.0.1:1/newer'), /update\.failed.*no connection: Connection refused/);
});

test('it takes its time, and no more', { skip: !process.env.IDED_LONG && 'IDED_LONG=1: takes 20 seconds' }, async () => {
	const from = Date.now();
	d.write(conf(`https://127.0.0.1:${port}/silent`));
	d.ok(['reload']);
	const had = events().length;
	assert.match(await waitFor('its end', () => events()[had], 30000), /update\.failed.*too slow/);
	assert.ok(Date.now() - from > 15000);
});

test('it has nothing while it asks', async () => {
	d.write(conf(`https://127.0.0.1:${port}/silent`));
	d.ok(['reload']);
	const p = await waitFor('ided-fetch, in its sandbox', () => d.tree().find((q) => q.name === 'ided-fetch' && q.seccomp === 2 && q.capEff === '0000000000000000'));
	assert.equal(p.cmd, 'ided: fetch');
	assert.equal(p.nnp, 1);
	const log = fs.readlinkSync(`/proc/${p.pid}/fd/2`);
	const has = await waitFor('its connection', () => {
		const l = new Set(fs.readdirSync(`/proc/${p.pid}/fd`).map((f) => fs.readlinkSync(`/proc/${p.pid}/fd/${f}`)).filter((f) => f !== log));
		return l.size > 2 && l;
	});
	assert.deepEqual([...has].map((f) => f.replace(/\d+/, '')).sort(), ['/dev/null', 'socket:[]', 'socket:[]'], 'auth, and the feed');
	assert.equal(p.uid, d.role('zygote')[0].uid);
	assert.equal(fs.readdirSync(`/proc/${p.pid}/root`).length, 0);
	// Another feed does not wait for this one.
	assert.match(await ask(`https://127.0.0.1:${port}/same`), /update\.none/);
	await waitFor('its end', () => ended(p.pid));
});

test('what is known survives a restart, and nobody is asked again; force or not', async () => {
	await ask(`https://127.0.0.1:${port}/newer`);
	const had = asked;
	const { checked } = await check('/update/check?force=true');
	for (const spoil of [null, 'checked', 'garbage']) {
		await d.stop({ keep: true });
		const file = `${d.data}/store/update`;
		const text = fs.readFileSync(file, 'utf8');
		assert.match(text, /^[0-9a-f]{64} \d+ \d+ 0 \S+\n$/);
		assert.ok(!text.includes('127.0.0.1'));
		if (spoil === 'checked') fs.writeFileSync(file, text.replace(/ \d+ \d+ /, ` ${2 ** 40} ${2 ** 41} `));
		if (spoil === 'garbage') fs.writeFileSync(file, `${text}\n`);
		await d.start();
		if (spoil) await waitFor('another question', () => events().length > 0);
		cookie = await d.login('ann');
		const r = await check();
		assert.equal(r.latest, next);
		if (!spoil) assert.deepEqual([r.checked, asked, events()], [checked, had, []]);
	}
	assert.equal(asked, had + 2);
});

test('through a proxy, but for those who are asked directly', async () => {
	await d.stop({ keep: true });
	d.env = { https_proxy: `http://127.0.0.1:${proxy.address().port}`, NO_PROXY: 'example.com, localhost' };
	d.write();
	await d.start();
	assert.match(await ask(`https://127.0.0.1:${port}/older`), /update\.none version="1\.2\.3"/);
	assert.deepEqual(tunnels, [`127.0.0.1:${port}`]);
	assert.match(await ask(`https://localhost:${port}/newer`), /update\.available/);
	assert.match(await ask('https://127.0.0.3/newer'), /update\.failed.*proxy answers CONNECT with 403/);
	// The proxy leads there, whatever its name: it is the certificate's that counts.
	assert.match(await ask('https://feed.example.org/newer'), /update\.failed.*certificate: hostname mismatch/i);
	assert.deepEqual(tunnels.slice(1), ['127.0.0.3:443', 'feed.example.org:443']);
});

// A name server for what is asked of it: where feed.test is, by UDP; where long.test is,
// by TCP; nothing of silent.test; and that there is nothing else.
function nameServer(address) {
	const answer = (q, tcp) => {
		const name = /^(.*?)\0/s.exec(q.subarray(12).toString('latin1'))[1];
		const type = q.readUInt16BE(12 + name.length + 1), out = Buffer.from(q.subarray(0, 12 + name.length + 5));
		if (name.includes('silent')) return null;
		const known = /feed|long/.test(name), cut = name.includes('long') && !tcp, found = known && !cut && type === 1;
		out.writeUInt16BE(0x8180 | (cut ? 0x200 : 0) | (known ? 0 : 3), 2);
		out.writeUInt16BE(found ? 1 : 0, 6);
		out.fill(0, 8, 12);
		return found ? Buffer.concat([out, Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1])]) : out;
	};
	const udp = dgram.createSocket('udp4'), tcp = net.createServer((s) => {
		let in_ = Buffer.alloc(0);
		s.on('error', () => {});
		s.on('data', (b) => {
			for (in_ = Buffer.concat([in_, b]); in_.length > 2 && in_.length >= 2 + in_.readUInt16BE(0); in_ = in_.subarray(2 + in_.readUInt16BE(0))) {
				const a = answer(in_.subarray(2, 2 + in_.readUInt16BE(0)), true), n = Buffer.alloc(2);
				n.writeUInt16BE(a.length);
				s.write(Buffer.concat([n, a]));
			}
		});
	});
	udp.on('message', (q, from) => { const a = answer(q, false); if (a) udp.send(a, from.port, from.address); });
	return new Promise((resolve, reject) => {
		udp.on('error', reject);
		tcp.on('error', reject);
		udp.bind(53, address, () => tcp.listen(53, address, () => resolve({ close: () => { udp.close(); tcp.close(); } })));
	});
}

test('a name is looked up by a process that has nothing either', { timeout: 60000 }, async () => {
	const names = fs.mkdtempSync('/tmp/ided-test-names-'), address = `127.53.${1 + Math.floor(Math.random() * 250)}.53`;
	let e, server;
	try {
		server = await nameServer(address);
		fs.writeFileSync(`${names}/resolv.conf`, `nameserver ${address}\noptions timeout:15 attempts:1\n`);
		fs.writeFileSync(`${names}/nsswitch.conf`, 'passwd: files\ngroup: files\nhosts: files dns\n');
		// It sees other files there than the machine has.
		const enter = ['unshare', '-m', '--propagation', 'private', 'sh', '-c',
			`for f in resolv nsswitch; do mount --bind ${names}/$f.conf /etc/$f.conf || exit; done; exec "$@"`, 'sh'];
		e = await startDaemon({ enter, prefork: 'spare 1', users: [] });
		const said = () => e.log.match(/update\.(available|none|failed).*/g) || [];
		const about = async (host) => {
			const had = said().length;
			e.write(conf(`https://${host}:${port}/newer`));
			e.ok(['reload']);
			return waitFor(`word of ${host}`, () => said()[had]);
		};
		for (const host of ['feed.test', 'long.test']) {
			const had = asked;
			assert.match(await about(host), /certificate: hostname mismatch/i, host);
			assert.equal(asked, had + 1, 'it was found');
		}
		assert.match(await about('localhost'), /update\.available/);
		assert.match(await about('nothing.test'), /update\.failed.*nothing\.test: Name or service not known/);
		e.write(conf(`https://silent.test:${port}/newer`));
		e.ok(['reload']);
		const p = await waitFor('the one who asks', () => e.tree().find((q) => q.cmd === 'ided: names' && q.seccomp === 2));
		assert.deepEqual([p.capEff, p.nnp, p.uid], ['0000000000000000', 1, e.role('zygote')[0].uid]);
		const log = fs.readlinkSync(`/proc/${p.pid}/fd/2`);
		const has = await waitFor('its question', () => {
			const l = fs.readdirSync(`/proc/${p.pid}/fd`).map((f) => fs.readlinkSync(`/proc/${p.pid}/fd/${f}`)).filter((f) => f !== log && f !== '/dev/null');
			return l.length > 1 && l;
		});
		assert.deepEqual(has.map((f) => f.replace(/\d+/, '')).sort(), ['pipe:[]', 'socket:[]'], 'who asked it, and the name server');
		// And it goes with the one for whom it asks.
		process.kill(p.ppid, 'SIGKILL');
		await waitFor('its end', () => !e.tree().some((q) => q.pid === p.pid));
	} finally {
		await e?.stop();
		server?.close();
		fs.rmSync(names, { recursive: true, force: true });
	}
});

test('one that dies over it harms nobody', async () => {
	const programs = fs.mkdtempSync('/tmp/ided-test-programs-');
	let e;
	try {
		for (const f of fs.readdirSync(obj).filter((n) => /^ide/.test(n) && !/\./.test(n)))
			fs.copyFileSync(f === 'ided-fetch' ? '/bin/false' : `${obj}/${f}`, `${programs}/${f}`);
		e = await startDaemon({ obj: programs, prefork: 'spare 1', users: ['ann'], conf: conf(`https://127.0.0.1:${port}/newer`) });
		await waitFor('its end', () => /process\.died process="?fetch"?.* exit=1/.test(e.log) && /update\.failed why="no answer"/.test(e.log));
		const r = await e.request('GET', '/update/check', { headers: { cookie: await e.login('ann') } });
		assert.deepEqual([r.status, r.json.latest, r.json.isLatest], [200, 'unknown', true]);
		assert.equal(e.log.match(/update\.failed/g).length, 1);
	} finally {
		await e?.stop();
		fs.rmSync(programs, { recursive: true, force: true });
	}
});

test('a feed that could not be asked is refused at once', () => {
	for (const [text, what] of [['update-check "http://example.com/"', /expected an address such as "https:/], ['update-check "https://ann:pw@example.com/"', /expected an address/],
		[conf('https://example.com/', 'none'), /update-check: ca ".*none\.crt": No such file/], [`update-check "https://example.com/" ca "${dir}/feed.key"`, /holds no certificate/]]) {
		d.write(text);
		const r = d.ctl(['reload']);
		assert.notEqual(r.status, 0, text);
		assert.match(r.err + r.out + d.log, what, text);
	}
});
