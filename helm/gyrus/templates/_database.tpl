{{/* The secret with database-url */}}
{{- define "gyrus.databaseSecret" -}}
{{- if .Values.mariadb.enabled -}}
{{- default (printf "%s-mariadb" (include "gyrus.fullname" .)) .Values.mariadb.existingSecret -}}
{{- else -}}
{{- .Values.externalDatabase.existingSecret -}}
{{- end -}}
{{- end }}

{{/* What both the gateway and the job that migrates must be told */}}
{{- define "gyrus.databaseEnv" -}}
- name: GYRUS_DATABASE_URL
  valueFrom: {secretKeyRef: {name: {{ include "gyrus.databaseSecret" . }}, key: database-url}}
- name: GYRUS_SERVE_SECRET
  valueFrom: {secretKeyRef: {name: {{ include "gyrus.authSecret" . }}, key: serve-secret}}
- {name: GYRUS_HOME, value: /var/lib/gyrus}
{{- end }}

{{- define "gyrus.databaseMounts" -}}
{{- if .Values.externalDatabase.caSecret }}
- {name: database-ca, mountPath: /etc/gyrus/database, readOnly: true}
{{- end }}
{{- end }}

{{- define "gyrus.databaseVolumes" -}}
{{- with .Values.externalDatabase.caSecret }}
- {name: database-ca, secret: {secretName: {{ . }}}}
{{- end }}
{{- end }}

{{/* The job that migrates */}}
{{- define "gyrus.migrateSpec" -}}
backoffLimit: 3
template:
  metadata:
    labels:
      {{- include "gyrus.podLabels" (list . "migrate") | nindent 6 }}
  spec:
    {{- include "gyrus.pod" (list . 10001) | nindent 4 }}
    automountServiceAccountToken: false
    restartPolicy: Never
    containers:
      - name: migrate
        image: {{ include "gyrus.image" (list . .Values.gateway.image) }}
        imagePullPolicy: {{ .Values.image.pullPolicy }}
        args: [python, -m, frontend_api, migrate]
        env:
          {{- include "gyrus.databaseEnv" . | nindent 10 }}
          - {name: GYRUS_ADMIN_EMAIL, value: {{ .Values.auth.adminEmail | quote }}}
          - name: GYRUS_ADMIN_PASSWORD
            valueFrom: {secretKeyRef: {name: {{ include "gyrus.authSecret" . }}, key: admin-password}}
        resources:
          requests: {cpu: 100m, memory: 128Mi}
          limits: {memory: 512Mi}
        {{- include "gyrus.containerSecurity" . | nindent 8 }}
        volumeMounts:
          - {name: home, mountPath: /var/lib/gyrus}
          - {name: tmp, mountPath: /tmp}
          {{- include "gyrus.databaseMounts" . | nindent 10 }}
    volumes:
      - {name: home, emptyDir: {}}
      - {name: tmp, emptyDir: {}}
      {{- include "gyrus.databaseVolumes" . | nindent 6 }}
{{- end }}
