"""Our drawings, on a 24 by 24 grid: the inside of an ``<svg>`` by name."""

ICONS = {
    "brand": '<path d="M4 12a8 8 0 1 0 2.6-5.9"/><path d="M4 4v5h5"/><path d="M12 8v4l3 2"/>',
    "inbox": '<path d="M4 13h4l1.5 3h5L16 13h4"/><path d="M5.5 5h13L20 13v6H4v-6z"/>',
    "runs": '<path d="M6 4v16M6 8h8a4 4 0 0 1 4 4v8"/><circle cx="6" cy="4" r="2"/><circle cx="18" cy="20" r="2"/>',
    "incidents": '<path d="M12 3 2.5 20h19z"/><path d="M12 10v4M12 17v.1"/>',
    "rollbacks": '<path d="M4 10h11a5 5 0 0 1 0 10h-3"/><path d="M8 6l-4 4 4 4"/>',
    "workflows": '<rect x="3" y="4" width="7" height="6" rx="1"/><rect x="14" y="14" width="7" height="6" rx="1"/>'
    '<path d="M10 7h4a3 3 0 0 1 3 3v4"/>',
    "runbooks": '<path d="M5 4h11a3 3 0 0 1 3 3v13H8a3 3 0 0 1-3-3z"/><path d="M9 9h6M9 13h6"/>',
    "check": '<path d="M5 12.5l4.5 4.5L19 7.5"/>',
    "cross": '<path d="M6 6l12 12M18 6L6 18"/>',
    "alert": '<path d="M12 4v10M12 19v.2"/>',
    "clock": '<circle cx="12" cy="12" r="8.5"/><path d="M12 7v5l3 2"/>',
    "spin": '<path d="M12 3.5a8.5 8.5 0 1 1-8.5 8.5"/>',
    "dash": '<path d="M6 12h12"/>',
    "search": '<circle cx="11" cy="11" r="6.5"/><path d="M16 16l4.5 4.5"/>',
    "theme": '<circle cx="12" cy="12" r="8.5"/><path d="M12 3.5v17a8.5 8.5 0 0 0 0-17z" fill="currentColor"/>',
    "leave": '<path d="M10 4H5v16h5M14 8l4 4-4 4M18 12H9"/>',
    "lock": '<rect x="5" y="11" width="14" height="9" rx="2"/><path d="M8 11V8a4 4 0 0 1 8 0v3"/>',
    "file": '<path d="M6 3h8l4 4v14H6z"/><path d="M14 3v5h4"/>',
}
