// Keeps the files of VS Code, so that a page that is opened again asks for none of
// them.  They are the same for everybody and never change; nothing else is kept, and
// above all nothing of a person's.
'use strict';

const NAME = 'ided-static';
// <quality>-<commit>/static/..., at the root of the site or below its /ide/.
const BASE = self.location.pathname.replace(/(?:\/ide)?\/_static\/.*$/, '');
const STATIC = {
	exec: (path) => path.startsWith(`${BASE}/`) ?
		/^\/(?:ide\/)?([a-z]+-[0-9a-f]{40})\/static\/./.exec(path.slice(BASE.length)) : null,
};

const forEverybody = (r) => {
	const said = (r.headers.get('cache-control') ?? '').split(',').map((s) => s.trim());
	return r.status === 200 && r.type === 'basic' && !r.redirected &&
		said.includes('public') && said.includes('immutable') && !r.headers.has('set-cookie');
};

// What is kept is of one commit: another one's goes when the first of its own comes.
async function keep(url, response) {
	const cache = await caches.open(NAME);
	const commit = STATIC.exec(url.pathname)[1];
	for (const k of await cache.keys())
		if (STATIC.exec(new URL(k.url).pathname)?.[1] !== commit) await cache.delete(k);
	await cache.put(url, response);
}

// The frame of an extension host is told by its query which one it is: the file is the
// same, and it is the frame's script that reads it.
function name(request) {
	const url = new URL(request.url);
	if (request.mode === 'navigate') url.search = '';
	return url;
}

async function answer(event, url) {
	const cache = await caches.open(NAME);
	const kept = await cache.match(url, { ignoreVary: true });
	if (kept) return kept;
	const response = await fetch(event.request);
	// A full disk, or a browser that keeps nothing, is no reason to fail.
	if (forEverybody(response))
		event.waitUntil(keep(url, response.clone()).catch(() => {}));
	return response;
}

self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));
self.addEventListener('fetch', (event) => {
	const url = name(event.request);
	if (event.request.method !== 'GET' || url.origin !== self.location.origin || url.search !== '' ||
		!STATIC.exec(url.pathname) || event.request.headers.has('range')) return;
	event.respondWith(answer(event, url));
});
