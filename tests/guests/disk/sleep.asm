; A boot sector: gives FACS a waking vector, marks memory and sleeps in RAM (S3). Woken, it says so
; and sleeps on.
;
; The ACPI tables are found as ACPI 6.4, 5.2.5.1 tells: RSDP -> RSDT -> FADT -> FACS, PM1a_CNT_BLK.
; What a test wants to know stands at 600h: FACS, waking vector, PM1a_CNT_BLK.
        org 0x7c00
        bits 16

SLEEP   equ 1 << 10 | 1 << 13           ; SLP_TYP of S3 in this machine's _S3_ is 1; SLP_EN
FACS    equ 0x600
VECTOR  equ 0x604
CONTROL equ 0x608
MARK    equ 0x5ee91ee9

start:  xor ax, ax
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov sp, 0x7c00
        cli
        lgdt [table]                    ; the extended segments of real mode reach all 4 GiB
        mov eax, cr0
        inc ax
        mov cr0, eax
        mov bx, 8
        mov fs, bx
        dec ax
        mov cr0, eax

        mov esi, 0xe0000 - 16           ; on a boundary of 16 bytes below 1 MiB
.scan:  add esi, 16
        cmp esi, 0x100000
        je .lost
        cmp dword [fs:esi], "RSD "
        jne .scan
        cmp dword [fs:esi + 4], "PTR "
        jne .scan
        mov esi, [fs:esi + 16]          ; RSDT
        mov ecx, [fs:esi + 4]
        shr ecx, 2
        sub ecx, 9                      ; entries behind its header of 36 bytes
        add esi, 36
.entry: mov ebx, [fs:esi]
        add esi, 4
        cmp dword [fs:ebx], "FACP"
        loopne .entry, ecx
        jne .lost
        mov edi, [fs:ebx + 36]
        mov [FACS], edi
        mov dword [VECTOR], awake
        mov dword [fs:edi + 12], awake
        mov dx, [fs:ebx + 64]
        mov [CONTROL], dx

        mov eax, MARK                   ; above 1 MiB, and where the firmware puts its SMI handler
        mov esi, 0x500000
        mov [fs:esi], eax
        mov esi, 0x38000
        mov [fs:esi], eax
        mov esi, 0x3fef8
        mov [fs:esi], eax

rest:   mov si, tired
        call say
        mov dx, [CONTROL]
        mov ax, SLEEP
        out dx, ax
        jmp stop                        ; never: the machine is reset out of its sleep
start.lost:
        mov si, failed
        call say
        jmp stop

awake:  xor ax, ax                      ; CS is the vector's paragraph: near calls are all the same
        mov ds, ax
        mov ss, ax
        mov sp, 0x7c00
        mov si, woken
        call say
        jmp 0:rest

%include "said.inc"

tired:  db "falling asleep", 0
woken:  db "awake", 0
        align 8, db 0
gdt:    dq 0, 0x00cf92000000ffff
table:  dw 15
        dd gdt
        times 510-($-$$) db 0
        dw 0xaa55
