# Configuration is edited as people do: an editor, sed, a copy kept; then the service is told.
cd /etc
cp -p hosts hosts.old
vim.tiny -es -c '%s/localhost.*/&/' -c 'wq' hosts
sed -i 's/^# *gzip_vary.*/\tgzip_vary on;/' nginx/nginx.conf
sed -i "s/^max_connections = .*/max_connections = $((100 + $(date +%s) % 50))/" postgresql/*/main/postgresql.conf
printf 'DAILY=%s\n' "$(date)" >default/shop
chown root:root default/shop && chmod 0644 default/shop
nginx -t -q && systemctl reload nginx
systemctl reload postgresql
