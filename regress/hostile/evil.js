// What a user's own IDE may answer when it is not VS Code at all: each row is
// what to send, or a function that sends it.  upstream.test.mjs says what the
// client has to get to see of it.
'use strict';

const ok = 'HTTP/1.1 200 OK\r\n';
const one = `${ok}Content-Length: 5\r\n\r\nhello`;
const cl5 = (header) => `${ok}${header}\r\nContent-Length: 5\r\n\r\nhello`;

// Sends piece after piece as long as the other side takes it.
function endless(s, first, piece, after) {
	const buf = Buffer.from(piece, 'latin1');
	const more = () => {
		while (!s.destroyed && s.write(buf));
	};
	s.on('drain', more);
	s.write(first);
	more();
	after?.();
}
const closing = (text) => (s) => s.end(text, 'latin1');
const lost = (text) => (s) => { s.write(text, 'latin1', () => s.destroy()); };

const answers = {
	// Headers that would become others.
	'cr-in-value': cl5('X-A: a\rSet-Cookie: b=c'),
	'lf-in-value': cl5('X-A: a\nSet-Cookie: b=c'),
	'nul-in-value': cl5('X-A: a\0b'),
	'esc-in-value': cl5('X-A: \x1b[2J'),
	'fold': cl5('X-A: a\r\n Set-Cookie: b=c'),
	'space-in-name': cl5('X A: b'),
	'space-before-colon': cl5('X-A : b'),
	'no-colon': cl5('nonsense'),
	'empty-name': cl5(': b'),
	'high-name': cl5('X-\xe9: b'),
	'lf-only': `HTTP/1.1 200 OK\nContent-Length: 5\n\nhello`,
	'crcrlf': `HTTP/1.1 200 OK\r\r\nContent-Length: 5\r\r\n\r\r\nhello`,
	// Headers that are ours to say.
	'our-cookie': cl5('Set-Cookie: __Host-ided=evil; Secure; Path=/\r\nSet-Cookie: __host-IDED=evil\r\nSet-Cookie: =__Host-ided=evil\r\nSet-Cookie: own=1'),
	'our-headers': cl5('Strict-Transport-Security: max-age=0\r\nServer: x\r\nDate: yesterday\r\nAlt-Svc: h3=":1"\r\nX-Request-Id: forged\r\nX-Frame-Options: ALLOWALL\r\nX-Content-Type-Options: none\r\nReferrer-Policy: unsafe-url'),
	'hop-headers': cl5('Connection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=1\r\nTE: x\r\nTrailer: x\r\nProxy-Authenticate: Basic\r\nUpgrade: h2c'),
	// Lengths.
	'two-lengths': cl5('Content-Length: 6'),
	'length-and-chunked': cl5('Transfer-Encoding: chunked'),
	'length-negative': `${ok}Content-Length: -1\r\n\r\nhello`,
	'length-huge': `${ok}Content-Length: 99999999999999999999\r\n\r\nhello`,
	'length-list': `${ok}Content-Length: 5, 5\r\n\r\nhello`,
	'length-hex': `${ok}Content-Length: 0x5\r\n\r\nhello`,
	'te-gzip': `${ok}Transfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
	'te-twice': `${ok}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
	'te-in-10': `HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
	'short': closing(`${ok}Content-Length: 10\r\n\r\nhello`),
	'long': `${ok}Content-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged`,
	'two-answers': `${one}HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged`,
	'late-answer': (s) => { s.write(one); setTimeout(() => s.write('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged'), 50); },
	// Bodies where none can be.
	'head-body': `${ok}Content-Length: 5\r\n\r\nhello`,
	'head-chunked': `${ok}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
	'body-204': 'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello',
	'body-304': 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello',
	'chunked-204': 'HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
	'body-100': `HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\nhello${one}`,
	// Interim answers.
	'one-100': `HTTP/1.1 100 Continue\r\n\r\n${one}`,
	'one-103': `HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n${one}`,
	'many-100': `${'HTTP/1.1 100 Continue\r\n\r\n'.repeat(1000)}${one}`,
	'endless-100': (s) => endless(s, '', 'HTTP/1.1 102 Processing\r\n\r\n'.repeat(100)),
	'unasked-101': 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello',
	// Status lines.
	'status-99': 'HTTP/1.1 099 Low\r\nContent-Length: 5\r\n\r\nhello',
	'status-600': 'HTTP/1.1 600 High\r\nContent-Length: 5\r\n\r\nhello',
	'status-4-digits': 'HTTP/1.1 2000 OK\r\nContent-Length: 5\r\n\r\nhello',
	'status-text': 'HTTP/1.1 two OK\r\nContent-Length: 5\r\n\r\nhello',
	'status-none': 'HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello',
	'version-09': closing('hello'),
	'version-2': 'HTTP/2.0 200 OK\r\nContent-Length: 5\r\n\r\nhello',
	'reason-evil': 'HTTP/1.1 200 \x1b[2J\r\nContent-Length: 5\r\n\r\nhello',
	'ssh': closing('SSH-2.0-OpenSSH_9.2\r\n'),
	'tls': closing('\x15\x03\x01\x00\x02\x02\x28'),
	'h2': closing('\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x80\0\x04\0\x01\0\0\0\x05\0\xff\xff\xff'),
	'random': closing(Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * 167 + (i >> 3) * 31) & 255)).toString('latin1')),
	// Chunks.
	'chunk-size': `${ok}Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n`,
	'chunk-huge': `${ok}Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nhello`,
	'chunk-no-crlf': `${ok}Transfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n0\r\n\r\n`,
	'chunk-lf': `${ok}Transfer-Encoding: chunked\r\n\r\n5\nhello\n0\n\n`,
	'chunk-ext-endless': (s) => endless(s, `${ok}Transfer-Encoding: chunked\r\n\r\n5;`, 'a'.repeat(4096)),
	'chunk-trailer-endless': (s) => endless(s, `${ok}Transfer-Encoding: chunked\r\n\r\n0\r\n`, `X-A: ${'a'.repeat(1000)}\r\n`),
	'chunk-cut': closing(`${ok}Transfer-Encoding: chunked\r\n\r\n10\r\nhello`),
	'chunk-trailer': `${ok}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nSet-Cookie: __Host-ided=evil\r\nStrict-Transport-Security: max-age=0\r\n\r\n`,
	// Without an end.
	'endless-line': (s) => endless(s, 'HTTP/1.1 200 ', 'a'.repeat(4096)),
	'endless-value': (s) => endless(s, `${ok}X-A: `, 'a'.repeat(4096)),
	'endless-headers': (s) => endless(s, ok, 'X-A: b\r\n'.repeat(100)),
	'endless-body': (s) => endless(s, `${ok}\r\n`, 'a'.repeat(65536)),
	'endless-chunks': (s) => endless(s, `${ok}Transfer-Encoding: chunked\r\n\r\n`, '1\r\na\r\n'.repeat(1000)),
	'headers-101': `${ok}${'X-A: b\r\n'.repeat(101)}Content-Length: 5\r\n\r\nhello`,
	'headers-90': `${ok}${'X-A: b\r\n'.repeat(90)}Content-Length: 5\r\n\r\nhello`,
	// Early ends.
	'close': closing(''),
	'lost': lost(''),
	'close-in-line': closing('HTTP/1.1 2'),
	'close-in-head': closing(`${ok}X-A: b\r\n`),
	'lost-in-body': lost(`${ok}Content-Length: 10\r\n\r\nhello`),
	'close-after': closing(one),
	// To a wish for a WebSocket.
	'ws-200': one,
	'ws-403': 'HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno',
	'ws-wrong-accept': 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n',
	'ws-no-accept': 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
	'ws-no-upgrade': 'HTTP/1.1 101 Switching Protocols\r\n\r\n',
	'ws-other': 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n',
	'ws-length': 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 5\r\n\r\nhello',
	'ws-close': closing(''),
	'ws-lost': lost(''),
};

// True: the recorder goes on to answer what comes on this connection.
exports.answer = (s, name, r) => {
	const a = Object.hasOwn(answers, name) ? answers[name] : `HTTP/1.1 404 No Such Evil\r\nContent-Length: 0\r\n\r\n`;
	if (typeof a === 'function') {
		a(s, r);
		return false;
	}
	s.write(Buffer.from(a, 'latin1'));
	return true;
};
exports.names = Object.keys(answers);
