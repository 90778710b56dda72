// What RFC 9112 (and RFC 9110 where it says so) asks of a server and of an
// intermediary, rule by rule, of the daemon as it runs.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { answers, send, sources, startRecorder, status } from './backend.mjs';

const source = sources(10);
let d;
before(async () => { d = await startRecorder(); });
after(() => d?.stop());

let serial = 0;
const host = 'Host: ided.test\r\n';
const auth = () => `${host}Authorization: Bearer ${d.bearer}\r\n`;
// One exchange; { list of answers, text, what reached the IDE of path /ide/rN }.
async function talk(make, heads) {
	const path = `/ide/r${++serial}`;
	const r = await send(d, make(path), { servername: 'ided.test', localAddress: source() });
	assert.equal(r.timedout, false);
	return { list: answers(r.out, heads), out: r.out, path,
		there: d.record('ann').filter((c) => c.bytes.includes(`${path}`)).map((c) => c.bytes).join('') };
}
const refused = async (make, ...wanted) => {
	const r = await talk(make);
	assert.ok(r.list.length === 1, `${r.list.length} answers: ${r.out}`);
	assert.ok(wanted.includes(r.list[0].status), `${r.list[0].status}: ${make('/p')}`);
	assert.match(r.list[0].head, /^connection: close$/im);
	assert.equal(r.there, '');
};
const passed = async (make, want, heads) => {
	const r = await talk(make, heads);
	assert.ok(r.list.length >= 1, r.out);
	assert.equal(r.list[0].status, 200);
	if (want !== undefined) assert.match(r.there, want);
	return r;
};
const each = (fn, list) => async () => { for (const x of list) await fn(x); };
const get = (h = '') => (p) => `GET ${p} HTTP/1.1\r\n${auth()}${h}\r\n`;
const post = (h, body) => (p) => `POST ${p} HTTP/1.1\r\n${auth()}${h}\r\n${body}`;
const line = (l) => (p) => `${l.replace(' P', ` ${p}`)}\r\n${auth()}\r\n`;

const rules = {
	'2.2 an empty line before the request line is ignored': () => passed((p) => `\r\n${get()(p)}`),
	'2.2 white space before the first header is refused': each((w) => refused((p) => `GET ${p} HTTP/1.1\r\n${w}X: y\r\n${auth()}\r\n`, 400), [' ', '\t']),
	'2.2 a bare CR is refused': each((h) => refused(get(h), 400), ['X: a\rb\r\n', 'X: y\r\r\n', 'X\r: y\r\n']),
	'2.2 a line that ends in LF alone is refused, not guessed at': each((h) => refused(get(h), 400), ['X: a\nb: c\r\n', 'X: y\n']),
	'2.3 the version is case-sensitive and has one digit each': each((v) => refused(line(`GET P ${v}`), 400), ['http/1.1', 'HTTP/01.1', 'HTTP/1.10', 'HTTP/1', 'HTTP 1.1']),
	'2.3 another major version is 505': each((v) => refused(line(`GET P ${v}`), 505), ['HTTP/2.0', 'HTTP/3.0', 'HTTP/0.9']),
	'3 a request line of other than three words is refused': each((l) => refused(line(l), 400), ['GET P', 'GET  P HTTP/1.1', 'GET\t P HTTP/1.1', ' GET P HTTP/1.1', 'GET P HTTP/1.1 ', 'GET P x HTTP/1.1']),
	'3.1 the method is case-sensitive, and one that is not known is 501': each(async (m) => {
		const r = await talk(line(`${m} P HTTP/1.1`));
		assert.equal(r.list[0].status, 501);
	}, ['get', 'Get', 'BREW', 'PROPFIND']),
	'3 a target too long to be read is 414, a method 501': async () => {
		await refused((p) => `GET ${p}/${'a'.repeat(9000)} HTTP/1.1\r\n${host}\r\n`, 414);
		await refused((p) => `${'A'.repeat(40)} ${p} HTTP/1.1\r\n${host}\r\n`, 501);
	},
	'3.2 no Host in HTTP/1.1 is 400': () => refused((p) => `GET ${p} HTTP/1.1\r\nAuthorization: Bearer ${d.bearer}\r\n\r\n`, 400),
	'3.2 two Hosts are 400': each((h) => refused(get(h), 400), [host, 'Host: evil.test\r\n', 'Host:\r\n']),
	'3.2 a Host that is none is 400': each((h) => refused((p) => `GET ${p} HTTP/1.1\r\nHost: ${h}\r\n\r\n`, 400), ['', 'a b', 'a/b', 'user@ided.test', 'ided.test:x', 'ided.test:99999', '[::1']),
	'3.2.1 the target is passed on as it came': () => passed((p) => `GET ${p}/a%2Fb;c?d=%20e&f HTTP/1.1\r\n${auth()}\r\n`, /^GET \/ide\/r\d+\/a%2Fb;c\?d=%20e&f HTTP\/1\.1\r\n/),
	'3.2.2 the absolute form gets nobody another host': each((u) => refused((p) => `GET ${u}${p} HTTP/1.1\r\n${auth()}\r\n`, 400), ['http://evil.test', 'https://ided.test', 'HTTPS://ided.test:1']),
	'3.2.3 CONNECT opens no tunnel': each((t) => refused(() => `CONNECT ${t} HTTP/1.1\r\n${auth()}\r\n`, 501), ['localhost:22', 'ided.test:443', '/ide/']),
	'3.2.4 the asterisk is for OPTIONS alone': async () => {
		await refused(() => `GET * HTTP/1.1\r\n${auth()}\r\n`, 400);
		const r = await talk(() => `OPTIONS * HTTP/1.1\r\n${auth()}\r\n`);
		assert.equal(r.list[0].status, 204);
		assert.match(r.list[0].head, /^allow: .*GET.*OPTIONS/im);
	},
	'5.1 no white space before the colon': each((h) => refused(get(h), 400), ['X : y\r\n', 'X\t: y\r\n', 'Content-Length : 0\r\n']),
	'5.1 white space around a value is not of the value': () => passed(get('X-Ows: \t a b \t\r\n'), /\r\nx-ows: a b\r\n/i),
	'5.2 a folded header is refused': each((h) => refused(get(h), 400), ['X: a\r\n b\r\n', 'X: a\r\n\tb\r\n', 'X: a\r\n \r\n']),
	'9110 5.1, 5.5 a name is a token, a value has no control characters': each((h) => refused(get(h), 400), ['X Y: z\r\n', ': y\r\n', 'X(: y\r\n', 'X\xe9: y\r\n', 'X: a\0b\r\n', 'X: \x7f\r\n', 'nonsense\r\n']),
	'6.1 a coding that is not known, or not last, is refused': each((v) => refused(post(`Transfer-Encoding: ${v}\r\n`, '5\r\nhello\r\n0\r\n\r\n'), 400, 501), ['gzip', 'chunked, gzip', 'identity', 'chunked, chunked', '']),
	'6.1 HTTP/1.0 has no Transfer-Encoding, neither way': async () => {
		await refused((p) => `POST ${p} HTTP/1.0\r\n${auth()}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 400);
		const r = await passed((p) => `GET ${p} HTTP/1.0\r\n${auth()}\r\n`);
		assert.doesNotMatch(r.out, /transfer-encoding/i);
	},
	'6.3 Transfer-Encoding with Content-Length is refused': each((h) => refused(post(h, '0\r\n\r\n'), 400), ['Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', 'Transfer-Encoding: chunked\r\nContent-Length: 0\r\n']),
	'6.3 a Content-Length that is none, or two, is refused': each((v) => refused(post(v, 'hello'), 400, 413), ['Content-Length: 5, 6\r\n', 'Content-Length: 5\r\nContent-Length: 5\r\n', 'Content-Length: -1\r\n', 'Content-Length: +5\r\n', 'Content-Length: 0x5\r\n', 'Content-Length:\r\n', 'Content-Length: 18446744073709551621\r\n']),
	'6.3 without either a request has no body': async () => {
		const r = await passed((p) => `${post('', '')(p)}${get()(p)}`, /^POST [^]*GET /);
		assert.equal(r.list.length, 2);
	},
	'6.3 answers to HEAD, 204 and 304 have no body': async () => {
		const r = await passed((p) => `HEAD ${p} HTTP/1.1\r\n${auth()}\r\n${get()(p)}`, undefined, [0]);
		assert.equal(r.list.length, 2);
		assert.equal(r.list[1].status, 200);
		for (const name of ['body-204', 'body-304']) {
			const e = await talk((p) => get()(`/ide/evil/${name}?${p}`));
			assert.equal(e.list.rest, '', name);
			assert.doesNotMatch(e.out, /hello/);
		}
	},
	'7.1 chunk sizes are hexadecimal, and do not overflow': async () => {
		await passed(post('Transfer-Encoding: chunked\r\n', 'A\r\n0123456789\r\n000\r\n\r\n'), /0123456789/);
		for (const s of ['g', '-1', '+5', '0x5', '5 ', '', '10000000000000005', 'ffffffffffffffffffff']) {
			const r = await talk(post('Transfer-Encoding: chunked\r\n', `${s}\r\nhello\r\n0\r\n\r\n`));
			assert.ok([400, 413].includes(r.list[0]?.status), `${s}: ${r.list[0]?.status}`);
			assert.doesNotMatch(r.there, /hello/);
		}
	},
	'7.1.1 chunk extensions are ignored and not passed on': () => passed(post('Transfer-Encoding: chunked\r\n', '5;evil="a b";c\r\nhello\r\n0;d=e\r\n\r\n'), /\r\n\r\n5\r\nhello\r\n0\r\n\r\n$/),
	'7.1.2 trailers become no headers': async () => {
		const r = await passed(post('Trailer: X-Forwarded-For\r\nTransfer-Encoding: chunked\r\n', '5\r\nhello\r\n0\r\nX-Evil: 1\r\nContent-Length: 99\r\n\r\n'), /hello/);
		assert.doesNotMatch(r.there, /x-evil|: 99|trailer/i);
	},
	'8 what is incomplete is not taken for complete': each(async (make) => {
		const r = await talk(make);
		assert.ok(r.list.every((a) => a.status >= 400), r.out);
		assert.doesNotMatch(r.there, /\r\n0\r\n\r\n$/);
	}, [(p) => `GET ${p} HTTP/1.1\r\n${auth()}`, post('Content-Length: 10\r\n', 'hello'), post('Transfer-Encoding: chunked\r\n', '5\r\nhello\r\n'), post('Transfer-Encoding: chunked\r\n', '5\r\nhe')]),
	'9.3 connections persist, unless HTTP/1.0 or close say otherwise': async () => {
		const two = (a, b) => (p) => `GET ${p} ${a}\r\n${auth()}${b}\r\n${get()(p)}`;
		assert.equal((await passed(two('HTTP/1.1', ''))).list.length, 2);
		assert.equal((await passed(two('HTTP/1.0', ''))).list.length, 1);
		assert.equal((await passed(two('HTTP/1.0', 'Connection: keep-alive\r\n'))).list.length, 2);
		const r = await passed(two('HTTP/1.1', 'Connection: close\r\n'));
		assert.equal(r.list.length, 1);
		assert.match(r.list[0].head, /^connection: close$/im);
	},
	'9.3.2 pipelined requests are answered in their order': async () => {
		const r = await passed((p) => Array.from({ length: 20 }, (_, i) => get()(`${p}/${i}`)).join(''));
		assert.deepEqual(r.list.map((a) => Number(/\/(\d+) HTTP/.exec(a.body)[1])), Array.from({ length: 20 }, (_, i) => i));
	},
	'9110 7.6.1, 10.1.1 what Connection names stays here, and 100 is said only to HTTP/1.1': async () => {
		const r = await passed(get('Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\nProxy-Authorization: x\r\nUpgrade: h2c\r\n'));
		assert.doesNotMatch(r.there, /x-hop|keep-alive|^te:|proxy-auth|h2c/im);
		const s = await d.raw({ servername: 'ided.test', localAddress: source() });
		const came = (t) => new Promise((resolve) => {
			let out = '';
			s.on('data', (b) => { out += b; if (t.test(out)) resolve(); });
		});
		s.write(post('Expect: 100-continue\r\nContent-Length: 5\r\n', '')('/ide/expect'));
		await came(/^HTTP\/1\.1 100 Continue\r\n\r\n/);
		s.write('hello');
		await came(/HTTP\/1\.1 200 .*"body":5/s);
		s.destroy();
		const old = await talk((p) => `POST ${p} HTTP/1.0\r\n${auth()}Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello`);
		assert.match(old.out, /^HTTP\/1\.1 200/);
		assert.doesNotMatch(old.there, /expect/i);
	},
};

test('there are 33 rules', () => assert.equal(Object.keys(rules).length, 33));
for (const [name, rule] of Object.entries(rules)) test(name, { timeout: 60000 }, rule);
test('no worker crashed over all of them', () => assert.equal(status(d).crashes, 0));
