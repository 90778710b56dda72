// The windows that are open on this session: a file each, in the user's own
// runtime folder, written when a window says that it is there (session.js) and
// looked at by code.js.  Nothing is believed of it but by trying: a window whose
// socket nobody answers is forgotten.
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const net = require('net');
const path = require('path');

const MAX = 64;			// windows that are remembered
const FOLDERS = 64;		// of one of them
const TRY_MS = 1000;

const folder = () => path.join(process.env.XDG_RUNTIME_DIR, 'windows');
const file = (socket) => path.join(folder(), crypto.createHash('sha256').update(socket).digest('hex'));
const text = (s, max) => typeof s === 'string' && s.length > 0 && s.length <= max && !s.includes('\0');

// Newest first.
function all() {
	let names = [];
	try { names = fs.readdirSync(folder()); } catch { return []; }
	const found = [];
	for (const name of names) {
		try {
			const from = path.join(folder(), name);
			const w = JSON.parse(fs.readFileSync(from, 'utf8'));
			found.push({ ...w, since: fs.statSync(from).mtimeMs });
		} catch { /* it went away, or is being written */ }
	}
	return found.filter((w) => text(w.socket, 107) && Array.isArray(w.folders)).sort((a, b) => b.since - a.since);
}

function remove(socket) {
	try { fs.unlinkSync(file(socket)); } catch { /* it is gone */ }
}

// entry: { workspace: { folders: [{ uri: { path } }] }, socketPath }
function add(entry) {
	const socket = entry?.socketPath;
	if (!text(socket, 107) || !path.isAbsolute(socket)) throw new Error('socketPath is no path');
	const folders = (entry.workspace?.folders ?? []).slice(0, FOLDERS).map((f) => f?.uri?.path).filter((p) => text(p, 4096));
	fs.mkdirSync(folder(), { recursive: true, mode: 0o700 });
	for (const old of all().slice(MAX - 1)) remove(old.socket);
	const part = `${file(socket)}.${process.pid}`;
	fs.writeFileSync(part, JSON.stringify({ socket, folders }), { mode: 0o600 });
	fs.renameSync(part, file(socket));
}

function answers(socket) {
	return new Promise((resolve) => {
		const s = net.connect(socket);
		const end = (ok) => { s.destroy(); resolve(ok); };
		s.setTimeout(TRY_MS, () => end(false));
		s.on('connect', () => end(true));
		s.on('error', () => end(false));
	});
}

const within = (dir, name) => name === dir || name.startsWith(dir.endsWith('/') ? dir : `${dir}/`);

// The window that file belongs to: the newest with a folder that holds it, else the
// newest of all; null when no window is open.
async function find(name) {
	const known = all();
	const fits = name === undefined ? [] : known.filter((w) => w.folders.some((f) => within(f, name)));
	for (const w of [...fits, ...known.filter((o) => !fits.includes(o))]) {
		if (await answers(w.socket)) return w.socket;
		remove(w.socket);
	}
	return null;
}

module.exports = { add, find, remove };
