# Visitors, and a reload as after a renewed certificate.
for n in $(seq 40); do curl -s -o /dev/null "http://127.0.0.1/page$((n % 5 + 1)).html"; done
for n in 1 2 3 4 5; do curl -s -o /dev/null "http://127.0.0.1/page$n.html?[1-100]"; done
curl -s "http://127.0.0.1/missing" >/dev/null
nginx -t -q && systemctl reload nginx
