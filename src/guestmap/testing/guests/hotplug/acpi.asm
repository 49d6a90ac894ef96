; What the ACPI tables tell: where the power management registers are, and how many slots there are.
;
; The slots are not to be counted at their registers: a slot that is not there reads like one that
; is empty. But the DSDT has a memory device for each, with Name (_HID, EisaId ("PNP0C80")).
; Tables are as in the ACPI specification 6.5, chapter 5; addresses are physical, with no paging yet.

RSDP_START      equ     0xE0000
RSDP_END        equ     0x100000
RSDP_RSDT       equ     16
TABLE_LENGTH    equ     4
TABLE_BODY      equ     36
FADT_DSDT       equ     40
FADT_SMI        equ     48              ; port, 0: ACPI mode is on and stays on
FADT_ACPI_ON    equ     52              ; what to write there
FADT_PM1_EVENT  equ     56
FADT_PM1_CONTROL equ    64
AML_DWORD       equ     0x0C            ; a double word follows
MEMORY_DEVICE   equ     0x800CD041      ; EISA ID of PNP0C80
MEMORY_HID_BYTES equ    9               ; "_HID", the prefix, and the ID

; Reads the tables and switches ACPI mode on; without tables there are no slots.
acpi_start:
        pushad
        mov     esi, RSDP_START
.look:
        cmp     dword [esi], "RSD "
        jne     .next
        cmp     dword [esi + 4], "PTR "
        je      .found
.next:
        add     esi, 16
        cmp     esi, RSDP_END
        jb      .look
        jmp     .end
.found:
        mov     esi, [esi + RSDP_RSDT]
        mov     ecx, [esi + TABLE_LENGTH]
        add     ecx, esi                ; the end of the list
        add     esi, TABLE_BODY
.table:
        cmp     esi, ecx
        jae     .end
        lodsd
        cmp     dword [eax], "FACP"
        jne     .table
        mov     esi, eax
        call    read_fadt
        mov     esi, [esi + FADT_DSDT]
        call    read_dsdt
.end:
        popad
        ret

; Takes the ports from the FADT at ESI. Changes EAX, EDX.
read_fadt:
        mov     eax, [esi + FADT_PM1_EVENT]
        mov     [pm1_event], eax
        mov     eax, [esi + FADT_PM1_CONTROL]
        mov     [pm1_control], eax
        mov     edx, [esi + FADT_SMI]
        test    edx, edx
        jz      .end
        mov     al, [esi + FADT_ACPI_ON]
        out     dx, al
.end:
        ret

; Counts the memory devices in the DSDT at ESI. Changes EAX, ECX, ESI.
read_dsdt:
        mov     ecx, [esi + TABLE_LENGTH]
        lea     ecx, [esi + ecx - MEMORY_HID_BYTES]
        add     esi, TABLE_BODY
.next:
        cmp     esi, ecx
        ja      .end
        inc     esi
        cmp     dword [esi - 1], "_HID"
        jne     .next
        cmp     byte [esi + 3], AML_DWORD
        jne     .next
        cmp     dword [esi + 4], MEMORY_DEVICE
        jne     .next
        inc     dword [slots]
        jmp     .next
.end:
        ret

; Lets the memory event and the power button raise the interrupt.
events_enable:
        pushad
        mov     dx, GPE_ENABLE
        in      al, dx
        or      al, GPE_MEMORY
        out     dx, al
        mov     edx, [pm1_event]
        test    edx, edx
        jz      .end
        add     edx, PM1_ENABLE
        mov     ax, PM1_BUTTON
        out     dx, ax
.end:
        popad
        ret

; Says so, and switches the machine off. Does not return.
power_off:
        say     "guest: power off", 10
        mov     edx, [pm1_control]
        mov     ax, PM1_SLEEP
        out     dx, ax
        jmp     halt
